"""A listener that checks signatures takes no other key and no other secret, whichever service and protocol."""

import sys

import boto3
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
