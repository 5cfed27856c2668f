"""A listener that checks signatures takes no other key and no other secret, whichever service and protocol, and no request twice."""

import sys
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"total_max_attempts": 1})
CODES = {"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidClientTokenId", "UnrecognizedClientException"}
CALLS = {"sqs": "list_queues", "sns": "list_topics", "kinesis": "list_streams"}

for service, call in CALLS.items():
    for key, secret in [("AKIDEXAMPLE", "guessed"), ("AKIDOTHER", "secret")]:
        client = boto3.client(
            service, endpoint_url=sys.argv[1], aws_access_key_id=key, aws_secret_access_key=secret, config=CONFIG
        )
        try:
            getattr(client, call)()
            raise AssertionError(f"{service} takes {key}")
        except ClientError as error:
            assert error.response["Error"]["Code"] in CODES, error.response
print("    other keys and secrets are refused")


def answered(request):
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        assert b"received already" in error.read()
        return error.code


credentials = boto3.Session().get_credentials()
headers = {"x-amz-target": "AmazonSQS.ListQueues", "content-type": "application/x-amz-json-1.0"}
asked = AWSRequest(method="POST", url=sys.argv[1] + "/", data=b"{}", headers=headers)
SigV4Auth(credentials, "sqs", "eu-central-1").add_auth(asked)
seen = urllib.request.Request(asked.url, data=b"{}", headers=dict(asked.headers), method="POST")
assert [answered(seen), answered(seen)] == [200, 400]
print("    what was seen cannot be sent again")
link = boto3.client("sns", endpoint_url=sys.argv[1]).generate_presigned_url("list_topics", HttpMethod="GET")
assert [answered(link), answered(link)] == [200, 200]
print("    a presigned URL can be used again")
