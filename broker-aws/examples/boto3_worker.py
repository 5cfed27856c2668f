"""A producer and a worker with boto3, against the listener.

    cargo run -p broker-aws --features cli -- serve --data-dir orders-data   # prints the line to export
    export AWS_ENDPOINT_URL=http://127.0.0.1:4566
    pip install boto3
    AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1 python3 boto3_worker.py

Nothing in it is made for the broker: without AWS_ENDPOINT_URL it runs on AWS.
"""

import json

import boto3

sqs = boto3.client("sqs")

# Orders that fail three times are set aside.
dead = sqs.create_queue(QueueName="orders-dead")["QueueUrl"]
dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 3})
orders = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive})["QueueUrl"]

for item in ["socks", "shoes", "a house"]:
    sqs.send_message(QueueUrl=orders, MessageBody=json.dumps({"item": item}))


def ship(order):
    if order["item"] == "a house":
        raise ValueError("too large for a parcel")
    print("shipped", order["item"])


while True:
    received = sqs.receive_message(QueueUrl=orders, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    for message in received.get("Messages", []):
        try:
            ship(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=orders, ReceiptHandle=message["ReceiptHandle"])
        except ValueError:
            # At once again, rather than after the visibility timeout.
            sqs.change_message_visibility(
                QueueUrl=orders, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    if "Messages" not in received:
        break

for message in sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages", []):
    print("not shipped", json.loads(message["Body"])["item"])
