/**
 * The worker's side of the load, as a process: told by lines of JSON what to publish, it answers each with what came
 * of it. NATS gets its bare protocol, a gateway gets HTTP.
 */
import { monotonicMs } from "./libc.ts";
import { obeyLines } from "./line_commands.ts";
import { NatsWire } from "./nats_wire.ts";
import type { Burst, Posts, Published, PublisherCommand, Steady } from "./publishing.ts";
import { eventOf, historicEvent } from "./workload.ts";

/** One event in so many is answered for while publishing fast. */
const ANSWERED_EVERY = 500;
/** How many answers may be missing before we wait: the server's queue stays short. */
const MOST_UNANSWERED = 8;
const ANSWER_MS = 30_000;

/** All that is due goes out in one write, so that a late turn is made up for at once. */
function steady({ port, workload, tasks, rate, events, from, stored }: Steady): Published {
  using nats = new NatsWire(port);
  const timesMs: number[] = [];
  const startMs = monotonicMs();
  while (timesMs.length < events) {
    const nowMs = monotonicMs();
    const due = Math.min(events, 1 + Math.floor((nowMs - startMs) * rate / 1_000));
    const atMs = Date.now();
    for (let n = timesMs.length; n < due; n++) {
      nats.add(eventOf(workload, from + n, tasks, atMs), stored && n === events - 1);
      timesMs.push(nowMs);
    }
    nats.flush();
    const nextMs = startMs + due * 1_000 / rate - monotonicMs();
    if (due < events) nats.wait(Math.max(1, Math.floor(nextMs)));
  }
  if (stored) awaitAnswers(nats, 1);
  return { timesMs, lastSeq: nats.lastSeq ?? null };
}

function burst({ port, workload, tasks, events, from }: Burst): { ms: number; lastSeq: number } {
  using nats = new NatsWire(port);
  const startMs = monotonicMs();
  let asked = 0;
  for (let n = 0; n < events; n++) {
    const answered = n % ANSWERED_EVERY === 0 || n === events - 1;
    const event = workload === "history"
      ? historicEvent(from + n, tasks)
      : eventOf(workload, from + n, tasks, Date.now());
    nats.add(event, answered);
    if (!answered) continue;
    asked++;
    nats.flush();
    awaitAnswers(nats, asked - MOST_UNANSWERED);
  }
  awaitAnswers(nats, asked);
  return { ms: monotonicMs() - startMs, lastSeq: nats.lastSeq ?? 0 };
}

function awaitAnswers(nats: NatsWire, count: number): void {
  const deadlineMs = monotonicMs() + ANSWER_MS;
  while (nats.answers < count) {
    nats.wait(100);
    if (monotonicMs() > deadlineMs) throw new Error(`The stream did not answer within ${ANSWER_MS} ms`);
  }
}

/** Each of several callers posts, waits for the answer, and posts again. */
async function post({ url, batch, atOnce, seconds }: Posts): Promise<unknown> {
  const startMs = monotonicMs();
  const total = { events: 0, lastSeq: 0, failed: 0 };
  const call = async (caller: number): Promise<void> => {
    for (let turn = 0; monotonicMs() - startMs < seconds * 1_000; turn++) {
      const events = Array.from({ length: batch }, (_, i) => ({
        kind: "progress",
        total: 1_000_000,
        completed: turn * batch + i,
        current: `item ${i}`,
      }));
      const response = await fetch(`${url}/api/tasks/task-${caller}-${turn % 100}/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(events),
      });
      // The gateway's answer is checked by the tests of its own; here its last position is enough.
      const { results = [] } = await response.json() as { results?: { seq: number }[] };
      if (response.status !== 202) total.failed++;
      total.events += results.length;
      total.lastSeq = Math.max(total.lastSeq, results.at(-1)?.seq ?? 0);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, caller) => call(caller)));
  return { ms: monotonicMs() - startMs, ...total };
}

await obeyLines((line) => {
  // The one who writes these lines is the other side of the same file.
  const command = line as PublisherCommand;
  switch (command.do) {
    case "steady":
      return steady(command);
    case "burst":
      return burst(command);
    case "post":
      return post(command);
  }
});
