import { systemClock } from "../../src/worker/clock.ts";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connectNats } from "../../src/nats/connect.ts";
import {
  connectWorker,
  type Stored,
  type TaskReporter,
  WorkerError,
} from "../../src/worker/task_reporter.ts";
import { publishError } from "../../src/worker/nats_stream.ts";
import { startNatsServer } from "../nats_server.ts";
import { eventually } from "../eventually.ts";
import { type Kept, openTaskStream } from "./task_stream.ts";
import { ManualClock } from "./manual_clock.ts";
import { untilAborted } from "./until_aborted.ts";

function quiet(): void {}

function kinds(kept: readonly Kept[], taskId: string): string[] {
  return kept.filter((message) => message.taskId === taskId).map(({ kind }) => kind);
}

Deno.test("a run's events are in the stream in order, over TCP and over WebSocket", async () => {
  await using server = await startNatsServer({ websocket: true });
  await using stream = await openTaskStream(server.url);
  for (const [id, url] of [["tcp", server.url], ["websocket", server.wsUrl]] as const) {
    await using worker = await connectWorker(url);
    const rows = await worker.run(id, { name: "Import", total: 1 }, async (task) => {
      for await (const _ of task.track(["a.csv"]));
      return 7;
    });
    assertEquals(rows, 7);
    const kept = (await stream.kept()).filter(({ taskId }) => taskId === id);
    assertEquals(kept.map(({ kind }) => kind), ["created", "started", "progress", "completed"]);
    assertEquals(new Set(kept.map(({ id }) => id)).size, 4);
    const { at, ...body } = kept.at(-1)?.body ?? {};
    assertEquals(body, { attempt: 1, result: 7, progress: { total: 1, completed: 1 } });
    assertEquals(typeof at, "number");
  }
});

/** Work on `items`, pausing and going on in between; `at` is called at each. */
async function work(task: TaskReporter, items: number, at: (n: number) => Promise<void>): Promise<void> {
  for await (const n of task.track(Array.from({ length: items }, (_, i) => i))) {
    if (n % 5 === 3) void task.paused();
    if (n % 5 === 4) void task.resumed();
    await at(n);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("a server killed twice in the middle of runs costs nothing: no event is lost, doubled or out of order", async () => {
  await using server = await startNatsServer();
  await using stream = await openTaskStream(server.url);
  await using worker = await connectWorker(server.url, { onTrouble: quiet, progressIntervalMs: 1 });
  const ids = Array.from({ length: 20 }, (_, i) => `task-${i}`);
  let restarted = Promise.resolve();
  const outage = async () => {
    await server.kill();
    restarted = new Promise((resolve) => setTimeout(resolve, 200)).then(() => server.restart());
  };
  await Promise.all(ids.map((id) =>
    worker.run(id, { total: 60 }, (task) =>
      work(task, 60, async (n) => {
        if (id === ids[0] && (n === 10 || n === 45)) {
          await restarted;
          await outage();
        }
      }))
  ));
  await restarted;
  const kept = await stream.kept();
  assertEquals(new Set(kept.map(({ id }) => id)).size, kept.length, "none doubled");
  const between = Array.from({ length: 12 }, () => ["paused", "resumed"]).flat();
  for (const id of ids) {
    const statuses = kinds(kept, id).filter((kind) => kind !== "progress");
    assertEquals(statuses, ["created", "started", ...between, "completed"], id);
    const counts = kept.filter(({ taskId, kind }) => taskId === id && kind === "progress").map(({ body }) =>
      Number(body.completed ?? 0)
    );
    assertEquals(counts, counts.toSorted((a, b) => a - b), "progress only grows");
    const end = kept.findLast(({ taskId }) => taskId === id)?.body.progress;
    assertEquals(end, { total: 60, completed: 60 });
  }
});

Deno.test("what waits out an outage goes as soon as the connection is back, not at its next try", async () => {
  await using server = await startNatsServer();
  await using stream = await openTaskStream(server.url);
  // On this clock the next try never comes.
  const clock = new ManualClock(Date.now());
  const troubles: string[] = [];
  const options = { clock, onTrouble: (trouble: WorkerError) => troubles.push(trouble.message) };
  const worker = await connectWorker(server.url, options);
  const task = worker.task("t");
  await task.created();
  await server.kill();
  const started = task.started();
  await eventually("the event waits", () => troubles.length > 0);
  await server.restart();
  await started;
  assertEquals(kinds(await stream.kept(), "t"), ["created", "started"]);
  await worker.close();
});

Deno.test("a server that falls silent is waited for, and what it took without saying so is not doubled", async () => {
  await using server = await startNatsServer();
  await using stream = await openTaskStream(server.url);
  const troubles: string[] = [];
  await using worker = await connectWorker(server.url, {
    onTrouble: (trouble) => troubles.push(trouble.message),
  });
  const task = worker.task("t");
  server.pause();
  const calls: Promise<Stored>[] = [];
  // The first ones may still get through.
  while (troubles.length === 0) {
    let stored = false;
    const call = task.resumed();
    void call.then(() => stored = true);
    calls.push(call);
    await eventually("the event is stored, or the silence noticed", () => stored || troubles.length > 0);
  }
  server.resume();
  const stored = await Promise.all(calls);
  assertEquals(stored.map(({ seq }) => seq), stored.map((_, i) => i + 1));
  assertEquals(stored.at(-1)?.duplicate, true);
  assertEquals((await stream.kept()).length, stored.length);
  assertMatch(troubles.join(), /^taskwire.task.t.resumed was not acknowledged within 5000 ms$/);
});

Deno.test("a request to cancel in the stream aborts the task, whether it came before or comes now", async () => {
  await using server = await startNatsServer();
  await using stream = await openTaskStream(server.url);
  await using worker = await connectWorker(server.url);
  await stream.publish("taskwire.task.before.cancel_requested", { attempt: 2, reason: "changed my mind" });
  const before = worker.run("before", { attempt: 2 }, untilAborted);
  await assertRejects(() => before, DOMException, "the task was cancelled: changed my mind");
  const now = worker.run("now", {}, async (task) => {
    await stream.publish("taskwire.task.now.cancel_requested", {});
    return await untilAborted(task);
  });
  await assertRejects(() => now, DOMException, "the task was cancelled");
  const older = await worker.run("before", { attempt: 3 }, async (task) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return task.signal.aborted;
  });
  assertEquals(older, false, "a request for attempt 2 does not concern attempt 3");
  const kept = await stream.kept();
  const own = kinds(kept, "before").filter((kind) => kind !== "cancel_requested");
  assertEquals(own, ["created", "started", "cancelled", "created", "started", "completed"]);
  assertEquals(kinds(kept, "now"), ["created", "started", "cancel_requested", "cancelled"]);
});

Deno.test("a request to cancel is found in a stream that allows no direct access", async () => {
  await using server = await startNatsServer();
  await using stream = await openTaskStream(server.url, { allowDirect: false });
  await stream.publish("taskwire.task.t.cancel_requested", {});
  await using worker = await connectWorker(server.url);
  await assertRejects(() => worker.run("t", {}, untilAborted), DOMException, "the task was cancelled");
});

/** Users who may do less and less; `admin` may everything. */
const USERS = `authorization { users = [
  { user: admin, password: x }
  { user: "blind", password: x, permissions: {
    publish: ["taskwire.task.>", "$JS.API.DIRECT.GET.TASKWIRE.>"], subscribe: ["_INBOX.>"] } }
  { user: narrow, password: x, permissions: { publish: ["taskwire.task.>"], subscribe: ["_INBOX_narrow.>"] } }
  { user: reader, password: x, permissions: { publish: ["nothing"], subscribe: [">"] } }
] }`;

Deno.test("a request to cancel that was missed is found when the connection is back", async () => {
  await using server = await startNatsServer({ config: USERS });
  await using stream = await openTaskStream(server.url, { user: "admin", password: "x" });
  // This user is not allowed to hear of requests as they come.
  await using worker = await connectWorker(server.url, { user: "blind", password: "x", onTrouble: quiet });
  const running = worker.run("t", {}, untilAborted);
  const ended = assertRejects(() => running, DOMException, "the task was cancelled: missed");
  await eventually("it runs", async () => kinds(await stream.kept(), "t").includes("started"));
  await stream.publish("taskwire.task.t.cancel_requested", { reason: "missed" });
  await server.restart();
  await ended;
  assertEquals(kinds(await stream.kept(), "t").at(-1), "cancelled");
});

Deno.test("a request to cancel that nobody brought is found in the stream a little later", async () => {
  await using server = await startNatsServer({ config: USERS });
  await using stream = await openTaskStream(server.url, { user: "admin", password: "x" });
  // Neither does it hear of it, nor is it told when it asks first: so it is for a moment in a cluster.
  const clock = { ...systemClock, after: (ms: number, then: () => void) => systemClock.after(ms / 10, then) };
  await using worker = await connectWorker(server.url, {
    user: "blind",
    password: "x",
    clock,
    onTrouble: quiet,
  });
  const running = worker.run("t", {}, untilAborted);
  const ended = assertRejects(() => running, DOMException, "the task was cancelled: late");
  await eventually("it runs", async () => kinds(await stream.kept(), "t").includes("started"));
  await stream.publish("taskwire.task.t.cancel_requested", { reason: "late" });
  await ended;
});

Deno.test("a user that may only publish and listen to its own inbox is worker enough", async () => {
  await using server = await startNatsServer({ config: USERS });
  await using stream = await openTaskStream(server.url, { user: "admin", password: "x" });
  const narrow = { user: "narrow", password: "x" };
  {
    await using worker = await connectWorker(server.url, { ...narrow, inboxPrefix: "_INBOX_narrow" });
    assertEquals(await worker.run("t", {}, () => "done"), "done");
    assertEquals(kinds(await stream.kept(), "t"), ["created", "started", "completed"]);
  }
  await using worker = await connectWorker(server.url, narrow);
  const error = await assertRejects(() => worker.run("u", {}, () => "done"), WorkerError, "inboxPrefix");
  assertEquals(error.code, "refused");
});

Deno.test("a user that may not publish learns so before the work begins", async () => {
  await using server = await startNatsServer({ config: USERS });
  await using worker = await connectWorker(server.url, { user: "reader", password: "x" });
  let worked = false;
  const error = await assertRejects(() => worker.run("t", {}, () => worked = true), WorkerError);
  assertEquals([error.code, worked], ["refused", false]);
  assertMatch(error.message, /Permissions Violation for Publish to "taskwire.task.t.created"/);
});

Deno.test("a stream that is not there yet is waited for", async () => {
  await using server = await startNatsServer();
  const troubles: string[] = [];
  await using worker = await connectWorker(server.url, {
    onTrouble: (trouble) => troubles.push(trouble.message),
  });
  const created = worker.task("t").created();
  await eventually("the worker says so", () => troubles.length > 0);
  await using stream = await openTaskStream(server.url);
  await created;
  assertEquals(kinds(await stream.kept(), "t"), ["created"]);
  assertMatch(troubles.join(), /^no stream takes taskwire.task.t.created \(503\)/);
});

Deno.test("no NATS, or one that refuses us, rejects the connecting and says why", async () => {
  await using server = await startNatsServer({ config: USERS });
  const refused = await assertRejects(() => connectWorker(server.url, { token: "wrong" }), WorkerError);
  assertEquals(refused.code, "refused");
  await server.kill();
  const options = { user: "admin", password: "x", connectMs: 300, onTrouble: quiet };
  const away = await assertRejects(() => connectWorker(server.url, options), WorkerError);
  assertEquals(away.code, "unreachable");
  const invalid = await assertRejects(() => connectWorker("redis://127.0.0.1"), WorkerError);
  assertEquals(invalid.code, "invalid");
});

Deno.test("what NATS answers is for good or may pass", async () => {
  await using server = await startNatsServer();
  const nc = await connectNats({ url: server.url });
  const jsm = await nc.jetstreamManager();
  await jsm.streams.add({ name: "SMALL", subjects: ["small"], max_msg_size: 10 });
  const answer = async (subject: string, body: string) => {
    const failed = await assertRejects(() => nc.jetstream().publish(subject, body));
    const { code, message } = publishError(failed, subject);
    return [code, message];
  };
  assertEquals(await answer("small", "x".repeat(11)), [
    "refused",
    "NATS refuses small: message size exceeds maximum allowed (400)",
  ]);
  assertEquals((await answer("nobody", ""))[0], "unreachable");
  assertEquals((await answer("small", "x".repeat(2_000_000)))[0], "refused");
  await nc.close();
  assertEquals((await answer("small", ""))[0], "unreachable");
  assertEquals(publishError("what?", "small").message, "publish to small: what?");
});

Deno.test("what a cluster says of an event that it is still storing is no refusal", () => {
  const answered = (code: number, err_code: number, message: string) =>
    publishError(
      Object.assign(new Error(message), { api_error: { code, err_code, description: message } }),
      "s",
    );
  assertEquals(answered(409, 10_158, "duplicate message id is in process").code, "unreachable");
  assertEquals(answered(429, 10_167, "too many requests").code, "unreachable");
  assertEquals(answered(409, 10_058, "stream name already in use").code, "refused");
});

Deno.test({
  name: "closing without the server does not hang, and tells how much was left behind",
  // The client's wait before its next dial, up to 0.4 s, outlives its closing.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = await startNatsServer();
    await using _stream = await openTaskStream(server.url);
    const troubles: string[] = [];
    const worker = await connectWorker(server.url, {
      closeMs: 200,
      onTrouble: (trouble) => troubles.push(trouble.message),
    });
    await server.kill();
    const started = assertRejects(() => worker.task("t").started(), WorkerError, "the worker was closed");
    await worker.close();
    await started;
    assertEquals(troubles.at(-1), "the worker was closed with 1 events not in the log");
    await server.restart();
  },
});
