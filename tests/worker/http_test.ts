import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseRetryAfter } from "../../src/worker/http_request.ts";
import { connectWorker, WorkerError } from "../../src/worker/task_reporter.ts";
import { EventServer, type Override } from "./event_server.ts";
import { eventually } from "../eventually.ts";
import { ManualClock } from "./manual_clock.ts";
import { untilAborted } from "./until_aborted.ts";

function quiet(): void {}

Deno.test("over HTTP a run's events are stored in order, each with its id, under the token", async () => {
  await using server = await EventServer.start();
  {
    await using worker = await connectWorker(`${server.url}/behind/a/proxy?x=1`, { token: "secret" });
    await worker.run("import-42", { name: "Import" }, async (task) => {
      for await (const _ of task.track(["a.csv"]));
      return 7;
    });
  }
  const [first] = server.requests.filter(({ method }) => method === "POST");
  assertEquals(
    [first?.path, first?.headers.authorization, first?.headers["content-type"]],
    ["/behind/a/proxy/api/tasks/import-42/events", "Bearer secret", "application/json"],
  );
  assertEquals(server.kinds("import-42"), ["created", "started", "progress", "completed"]);
  assertEquals(new Set(server.events.map(({ id }) => id)).size, 4);
  const { at, ...completed } = server.events.at(-1)?.body ?? {};
  assertEquals(completed, { attempt: 1, result: 7, progress: { total: 1, completed: 1 } });
  assertEquals(typeof at, "number");
});

Deno.test("a gateway that goes away in the middle of a run costs nothing: no event is lost, doubled or out of order", async () => {
  await using server = await EventServer.start();
  await using worker = await connectWorker(server.url, { onTrouble: quiet, progressIntervalMs: 1 });
  let posts = 0;
  server.override = ({ method }) => method === "POST" && ++posts % 3 === 0 ? "store and hang up" : undefined;
  const ids = Array.from({ length: 10 }, (_, i) => `task-${i}`);
  const runs = ids.map((id) =>
    worker.run(id, { total: 20 }, async (task) => {
      for await (const n of task.track(Array.from({ length: 20 }, (_, i) => i))) {
        if (n === 5) void task.paused();
        if (n === 6) void task.resumed();
        if (n === 10 && id === ids[0]) {
          await server.down();
          setTimeout(() => void server.up(), 300);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })
  );
  await Promise.all(runs);
  for (const id of ids) {
    const kinds = server.kinds(id);
    const statuses = kinds.filter((kind) => kind !== "progress");
    assertEquals(statuses, ["created", "started", "paused", "resumed", "completed"], id);
    const counts = server.events.filter((event) => event.taskId === id && event.kind === "progress")
      .map(({ body }) => Number(body.completed ?? 0));
    assertEquals(counts, counts.toSorted((a, b) => a - b), "progress only grows");
    const { progress } = server.events.findLast((event) => event.taskId === id)?.body ?? {};
    assertEquals(progress, { total: 20, completed: 20 });
  }
});

Deno.test("over HTTP a task that is to be cancelled is noticed by asking for its status", async () => {
  await using server = await EventServer.start();
  await using worker = await connectWorker(server.url, { cancelPollMs: 20 });
  server.tasks.set("t", { status: "running", attempt: 2 });
  const running = worker.run("t", { attempt: 2 }, untilAborted);
  const ended = assertRejects(() => running, DOMException, "the task was cancelled: too late");
  server.tasks.set("t", { status: "cancelling", attempt: 1, reason: "the attempt before" });
  const asked = () => server.requests.filter(({ method }) => method === "GET").length;
  await eventually("it is asked for", () => asked() >= 3);
  assertEquals(server.kinds("t"), ["created", "started"]);
  server.tasks.set("t", { status: "cancelling", attempt: 2, reason: "too late" });
  await ended;
  const last = server.events.at(-1);
  assertEquals([last?.kind, last?.body.reason], ["cancelled", "too late"]);
  const askedThen = asked();
  await worker.run("u", {}, () => {});
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert(asked() <= askedThen + 1, "an ended task is not asked for any more");
});

Deno.test("without the right to read, a task runs and is not asked for again", async () => {
  await using server = await EventServer.start();
  await using worker = await connectWorker(server.url, { cancelPollMs: 1 });
  server.override = ({ method }) => method === "GET" ? { status: 403 } : undefined;
  await worker.run("t", {}, () => new Promise((resolve) => setTimeout(resolve, 50)));
  assertEquals(server.requests.filter(({ method }) => method === "GET").length, 1);
  assertEquals(server.kinds("t"), ["created", "started", "completed"]);
});

Deno.test("what a gateway refuses rejects the call with its own words, at the first try", async () => {
  await using server = await EventServer.start();
  await using worker = await connectWorker(server.url, { onTrouble: quiet });
  const refusals: [Override, RegExp][] = [
    [
      { status: 403, body: { title: "Forbidden", code: "FORBIDDEN", detail: "no right to publish" } },
      /403 FORBIDDEN: no right to publish/,
    ],
    [
      { status: 401, body: { title: "Unauthorized", code: "UNAUTHORIZED" } },
      /401 UNAUTHORIZED: Unauthorized/,
    ],
    [{ status: 413, body: "<html>nginx</html>" }, /413$/],
    [
      { status: 400, body: { code: "INVALID_MESSAGE", detail: "body.x: no" } },
      /400 INVALID_MESSAGE: body.x: no/,
    ],
    [{ status: 200, body: "<html>a page</html>" }, /is it a taskwire gateway\?/],
    [{ status: 202, body: { results: [] } }, /is it a taskwire gateway\?/],
  ];
  for (const [answer, words] of refusals) {
    server.override = () => answer;
    const before = server.requests.length;
    const error = await assertRejects(() => worker.task("t").created(), WorkerError);
    assertEquals(error.code, "refused");
    assertMatch(error.message, words);
    assertEquals(server.requests.length, before + 1);
  }
});

Deno.test("a gateway that is busy or broken is asked again, not before it wants to be", async () => {
  await using server = await EventServer.start();
  const clock = new ManualClock(Date.now());
  await using worker = await connectWorker(server.url, { clock, onTrouble: quiet });
  const answers: Override[] = [
    { status: 503, headers: { "retry-after": "20" } },
    { status: 429, body: { code: "RATE_LIMITED", details: { retry_after_ms: 30_000 } } },
    { status: 500 },
  ];
  server.override = () => answers.shift();
  const startMs = clock.now();
  let storedMs = 0;
  const stored = worker.task("t").created().then(() => storedMs = clock.now() - startMs);
  while (storedMs === 0) await clock.advance(1_000);
  await stored;
  assert(storedMs >= 50_000 && storedMs < 60_000, `stored after ${storedMs} ms`);
  assertEquals(server.requests.length, 4);
});

Deno.test("a gateway that does not answer is asked again after ten seconds, and stores the event once", async () => {
  await using server = await EventServer.start();
  const clock = new ManualClock(Date.now());
  const troubles: string[] = [];
  await using worker = await connectWorker(server.url, {
    clock,
    onTrouble: (trouble) => troubles.push(trouble.message),
  });
  server.override = () => "silence";
  const stored = worker.task("t").created();
  await eventually("the request is there", () => server.requests.length === 1);
  server.override = () => undefined;
  await clock.advance(10_000);
  await clock.advance(100);
  assertEquals(await stored, { seq: 1, duplicate: false });
  assertEquals(troubles, [`${server.url} did not answer within 10000 ms`]);
});

Deno.test("each request asks for the token anew, and one that cannot be had is tried again", async () => {
  await using server = await EventServer.start();
  let asked = 0;
  const token = () => {
    if (++asked === 1) return Promise.reject(new Error("the vault is sealed"));
    return Promise.resolve(`token-${asked}`);
  };
  const troubles: string[] = [];
  await using worker = await connectWorker(server.url, {
    token,
    onTrouble: (trouble) => troubles.push(trouble.message),
  });
  await worker.task("t").created();
  await worker.task("t").created();
  assertEquals(server.requests.map(({ headers }) => headers.authorization), [
    "Bearer token-2",
    "Bearer token-3",
  ]);
  assertMatch(troubles.join(), /the vault is sealed/);
});

Deno.test("more than a request can carry goes in several, none above a mebibyte", async () => {
  await using server = await EventServer.start();
  await using worker = await connectWorker(server.url);
  const text = "x".repeat(4000);
  const calls: Promise<unknown>[] = [];
  for (let attempt = 1; attempt <= 300; attempt++) calls.push(worker.task("t", { attempt }).retrying(text));
  const task = worker.task("t");
  for (let i = 0; i < 700; i++) calls.push(task.resumed());
  await Promise.all(calls);
  assertEquals(server.events.length, 1000);
  const sizes = server.requests.map(({ bytes }) => bytes);
  assert(sizes.length === 2 && Math.max(...sizes) < 1_048_576, `requests of ${sizes} bytes`);
});

Deno.test("an address that cannot be a gateway's is refused before anything is sent", async () => {
  const refused = async (url: string) => (await assertRejects(() => connectWorker(url), WorkerError)).code;
  assertEquals(await refused("http://"), "invalid");
  assertEquals(await refused("http://user:password@127.0.0.1:1"), "invalid");
});

Deno.test("Retry-After is understood as seconds or a date, up to a minute", () => {
  const nowMs = Date.parse("2026-01-01T00:00:00Z");
  const values = [
    null,
    "3",
    " 3 ",
    "Thu, 01 Jan 2026 00:00:05 GMT",
    "Thu, 01 Jan 2025 00:00:00 GMT",
    "99999",
    "soon",
  ];
  assertEquals(values.map((value) => parseRetryAfter(value, nowMs)), [0, 3_000, 3_000, 5_000, 0, 60_000, 0]);
});
