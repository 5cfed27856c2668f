"""The package async-kinesis: its producer and its consumer, with a split of a shard in between."""

import asyncio
import sys

from aiobotocore.session import get_session
from kinesis import Consumer, Producer

ENDPOINT, REGION, STREAM = sys.argv[1], "eu-central-1", "clicks"
RECORDS = 60


async def produce(numbers):
    async with Producer(stream_name=STREAM, endpoint_url=ENDPOINT, region_name=REGION, buffer_time=0.1) as producer:
        for number in numbers:
            await producer.put({"number": number}, partition_key=f"key {number}")
        await producer.flush()


async def consume(expected):
    seen = []
    async with Consumer(
        stream_name=STREAM, endpoint_url=ENDPOINT, region_name=REGION, sleep_time_no_records=0.2, shard_fetch_rate=4
    ) as consumer:
        while len(seen) < expected:
            async for record in consumer:
                seen.append(record["number"])
    return seen


async def main():
    async with get_session().create_client("kinesis", endpoint_url=ENDPOINT, region_name=REGION) as kinesis:
        await kinesis.create_stream(StreamName=STREAM, ShardCount=2)
        await produce(range(RECORDS // 2))
        half = str(2**126)
        first = "shardId-000000000000"
        await kinesis.split_shard(StreamName=STREAM, ShardToSplit=first, NewStartingHashKey=half)
    await produce(range(RECORDS // 2, RECORDS))
    seen = await asyncio.wait_for(consume(RECORDS), timeout=60)
    assert sorted(seen) == list(range(RECORDS)), seen
    print("    async-kinesis produced, and consumed parents and children of a split")


asyncio.run(main())
