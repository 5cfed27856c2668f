// The package sqs-consumer: it polls, handles, deletes, and lets come again what its handler failed at.

import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import assert from "node:assert/strict";
import { Consumer } from "sqs-consumer";

const sqs = new SQSClient({ endpoint: process.argv[2], region: "eu-central-1" });
const { QueueUrl: queueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "orders" }));
for (const MessageBody of ["socks", "shoes", "hats"]) {
  await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }));
}

const handled = [];
let failed = false;
const consumer = Consumer.create({
  queueUrl,
  sqs,
  waitTimeSeconds: 1,
  // What fails comes again at once.
  terminateVisibilityTimeout: true,
  handleMessage: async (message) => {
    if (message.Body === "shoes" && !failed) {
      failed = true;
      throw new Error("not at the first attempt");
    }
    handled.push(message.Body);
    return message;
  },
});
consumer.on("error", (error) => {
  throw error;
});
consumer.on("processing_error", () => {});

const done = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error(`only ${handled} after 20 seconds`)), 20_000).unref();
  consumer.on("message_processed", () => handled.length === 3 && resolve());
});
consumer.start();
await done;
const stopped = new Promise((resolve) => consumer.on("stopped", resolve));
consumer.stop();
await stopped;

assert.deepEqual([...handled].sort(), ["hats", "shoes", "socks"]);
const { Attributes: counts } = await sqs.send(
  new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["All"] }),
);
assert.equal(counts.ApproximateNumberOfMessages, "0");
assert.equal(counts.ApproximateNumberOfMessagesNotVisible, "0");
console.log("    sqs-consumer handled, retried and deleted");
process.exit(0);
