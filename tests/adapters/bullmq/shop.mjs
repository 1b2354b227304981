/** A shop that sends mail: a real queue and its worker. Each line of its input is a job, `{name, options?, data?}`; it answers
 * with the job's id when it has ended. */
import process from "node:process";
import { createInterface } from "node:readline";

// It is installed beside a copy of this; checkers of the project know of none.
const { FlowProducer, Queue, QueueEvents, Worker } = await import("bullmq");

const connection = { url: process.env.REDIS_URL };
const queue = new Queue("mail", { connection });
const events = new QueueEvents("mail", { connection });
const flows = new FlowProducer({ connection });
await events.waitUntilReady();

const WORK = {
  arrives: async (job) => {
    await job.updateProgress({ completed: 1, total: 2 });
    return { sent: 2 };
  },
  bounces: () => {
    throw new Error("no such address");
  },
  recovers: async (job) => {
    if (job.attemptsMade === 0) throw new Error("the server is away");
    await job.updateProgress(75);
  },
  // After many others, of which the queue retains the events.
  outlasts: async (job) => {
    if (job.attemptsMade === 0) throw new Error("the server is away");
    await queue.trimEvents(0);
  },
};

const worker = new Worker("mail", (job) => WORK[job.name](job), { connection });

for await (const line of createInterface({ input: process.stdin })) {
  const { name, data = {}, options, children } = JSON.parse(line);
  const job = children === undefined
    ? await queue.add(name, data, options)
    : (await flows.add({ name, data, queueName: "mail", children })).job;
  await job.waitUntilFinished(events).catch(() => {});
  process.stdout.write(`${job.id}\n`);
}
await Promise.all([worker, queue, events, flows].map((open) => open.close()));
