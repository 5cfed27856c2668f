"""SQS, SNS and Kinesis with boto3. Fails with the first thing that is not as on AWS."""

import hashlib
import json
import sys
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
# A real error must show, not be tried again.
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)


def client(service, **others):
    return boto3.client(service, endpoint_url=ENDPOINT, config=CONFIG, **others)


def refused(code, call, **arguments):
    """The message of a call that must be refused with this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response["Error"]["Message"]
    raise AssertionError(f"not refused: {call} {arguments}")


def queues():
    sqs = client("sqs")
    name = f"orders-{uuid.uuid4()}"
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "40"}, tags={"team": "web"})["QueueUrl"]
    assert url == sqs.get_queue_url(QueueName=name)["QueueUrl"]
    assert url in sqs.list_queues(QueueNamePrefix="orders-")["QueueUrls"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "40", attributes
    assert attributes["QueueArn"] == f"arn:aws:sqs:eu-central-1:000000000000:{name}", attributes
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "web"}

    body = "socks & <shoes> \u00fc"
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageAttributes={
            "total": {"DataType": "Number", "StringValue": "12"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    digest = hashlib.md5(body.encode()).hexdigest()
    assert sent["MD5OfMessageBody"] == digest
    received = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert [one["Body"] for one in received] == [body]
    assert received[0]["MD5OfBody"] == digest
    assert received[0]["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert received[0]["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\xff"
    assert received[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    receipt = received[0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
    receipt = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)

    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(10)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    entries = [{"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"]} for one in got]
    assert len(sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == len(got)

    began = time.monotonic()
    empty = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert len(got) == 10 and "Messages" not in empty, empty
    assert 0.9 < time.monotonic() - began < 5

    try:
        sqs.get_queue_url(QueueName="nowhere")
        raise AssertionError("there is no such queue")
    except sqs.exceptions.QueueDoesNotExist as error:
        assert error.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue", error.response
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    sqs.purge_queue(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)

    fifo = sqs.create_queue(QueueName=f"{name[:60]}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    first = sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageGroupId="g", MessageDeduplicationId="1")
    again = sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageGroupId="g", MessageDeduplicationId="1")
    assert first["MessageId"] == again["MessageId"] and first["SequenceNumber"] == again["SequenceNumber"]

    other = client("sqs", region_name="eu-west-1")
    assert not any(name in url for url in other.list_queues().get("QueueUrls", [])), "regions are apart"


def topics():
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name=f"news-{uuid.uuid4()}")["TopicArn"]
    url = sqs.create_queue(QueueName=f"news-{uuid.uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"FilterPolicy": json.dumps({"kind": ["order"]})},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == subscription
    for kind in ["order", "other"]:
        kinds = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=f"a new {kind}", MessageAttributes=kinds)
    received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
    envelopes = [json.loads(one["Body"]) for one in received]
    assert [envelope["Message"] for envelope in envelopes] == ["a new order"], envelopes
    assert envelopes[0]["TopicArn"] == topic
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    entries = [{"Id": "1", "Message": "raw", "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "order"}}}]
    assert len(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]) == 1
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"] == "raw"
    refused("NotFound", sns.publish, TopicArn=topic + "x", Message="x")
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.delete_topic(TopicArn=topic)


def streams():
    kinesis = client("kinesis")
    name = f"clicks-{uuid.uuid4()}"
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    stream = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    assert stream["StreamStatus"] == "ACTIVE" and len(stream["Shards"]) == 2
    assert abs(stream["StreamCreationTimestamp"].timestamp() - time.time()) < 60
    records = [{"Data": f"record {n}".encode(), "PartitionKey": f"key {n}"} for n in range(50)]
    put = kinesis.put_records(StreamName=name, Records=records)
    assert put["FailedRecordCount"] == 0 and len(put["Records"]) == 50
    read = []
    for page in kinesis.get_paginator("list_shards").paginate(StreamName=name):
        for shard in page["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            answer = kinesis.get_records(ShardIterator=iterator)
            assert answer["MillisBehindLatest"] == 0 and answer["NextShardIterator"]
            read += answer["Records"]
    assert sorted(one["Data"] for one in read) == sorted(one["Data"] for one in records)
    assert abs(read[0]["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 60

    consumer = kinesis.register_stream_consumer(StreamARN=stream["StreamARN"], ConsumerName="billing")["Consumer"]
    events = kinesis.subscribe_to_shard(
        ConsumerARN=consumer["ConsumerARN"],
        ShardId=put["Records"][0]["ShardId"],
        StartingPosition={"Type": "TRIM_HORIZON"},
    )["EventStream"]
    event = next(iter(events))["SubscribeToShardEvent"]
    assert records[0]["Data"] in [one["Data"] for one in event["Records"]]
    assert event["ContinuationSequenceNumber"]
    events.close()
    refused("ResourceNotFoundException", kinesis.describe_stream, StreamName="nowhere")
    refused("InvalidArgumentException", kinesis.get_records, ShardIterator="x")
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


def stream_queues():
    kinesis = client("kinesis")
    if not hasattr(kinesis, "receive_queue_records"):
        return
    name = f"free-{uuid.uuid4()}"
    kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    position = {"Type": "TRIM_HORIZON"}
    queue = kinesis.create_queue(
        QueueName=name, StreamConfigurationList=[{"StreamARN": arn, "StartingPosition": position}]
    )["QueueDescription"]["QueueARN"]
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"work")
    received = kinesis.receive_queue_records(QueueARN=queue, WaitTimeSeconds=5)["QueueRecords"]
    assert [one["Data"] for one in received] == [b"work"]
    entries = [{"ReceiptHandle": received[0]["ReceiptHandle"]}]
    assert len(kinesis.acknowledge_queue_records(QueueARN=queue, Entries=entries)["Successful"]) == 1
    kinesis.delete_queue(QueueARN=queue)
    kinesis.delete_stream(StreamName=name)


for part in [queues, topics, streams, stream_queues]:
    part()
    print(f"    {part.__name__}: as on AWS")
