import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  isSealed,
  KeyRing,
  sealableBytes,
  type SealedMember,
  unseal,
} from "../../src/protocol/encryption.ts";
import { parseBody } from "../../src/task/worker_event.ts";
import type { Encryption } from "../../src/worker/sealing.ts";
import { createWorker } from "../../src/worker/worker.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";
import { ManualClock, settled } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";

const KEYS = { k1: new Uint8Array(32).fill(1), k2: new Uint8Array(32).fill(2) };
const RING = new KeyRing({ keys: KEYS });

function setUp(changes: Partial<Encryption> = {}) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const encryption: Encryption = { keyId: "k1", keys: KEYS, ...changes };
  const troubles: string[] = [];
  const onTrouble = (trouble: WorkerError) => troubles.push(trouble.message);
  const worker = createWorker(log, { clock, encryption, onTrouble });
  return { clock, log, worker, encryption, troubles };
}

async function opened(text: unknown, member: SealedMember): Promise<unknown> {
  if (!isSealed(text)) return text;
  const result = await unseal(text, { taskId: "t", member }, RING);
  return "value" in result ? result.value : result.unopened;
}

/** Every event's body, with what is sealed in it as `<member> <what it says>`; each is one that gateways accept. */
async function story(log: MemoryLog): Promise<unknown[]> {
  return await Promise.all(log.events.map(async ({ kind, json }) => {
    const { at, ...body } = JSON.parse(json);
    assert(typeof at === "number");
    const parsed = parseBody(kind, body);
    assert("body" in parsed, JSON.stringify(parsed));
    if (body.name !== undefined) body.name = await opened(body.name, "name");
    if (body.reason !== undefined) body.reason = await opened(body.reason, "reason");
    if (body.error !== undefined) body.error = { message: await opened(body.error.message, "error") };
    if (body.result !== undefined) body.result = { enc: await opened(body.result.enc, "result") };
    for (const counters of [body, body.progress ?? {}]) {
      if (counters.current !== undefined) counters.current = await opened(counters.current, "progress");
    }
    return [kind, body];
  }));
}

Deno.test("of what a worker says only what routes and folds it is readable, and gateways accept all of it", async () => {
  const { log, worker } = setUp();
  const about = { name: "Salaries", type: "report", tags: ["hr"], parent_id: "night", total: 2 };
  await worker.run("t", about, async (task) => {
    for await (const row of task.track(["Ann", "Bob"])) assert(row.length === 3);
    return { sum: 7 };
  });
  assertEquals(await story(log), [
    ["created", { name: "Salaries", type: "report", tags: ["hr"], parent_id: "night" }],
    ["started", { attempt: 1 }],
    ["progress", { attempt: 1, current: { current: "Ann", total: 2 } }],
    ["completed", {
      attempt: 1,
      result: { enc: { sum: 7 } },
      progress: { current: { total: 2, completed: 2 } },
    }],
  ]);
  const text = log.events.map(({ json }) => json).join("");
  for (const secret of ["Salaries", "Ann", "sum", "total", "completed"]) {
    assert(!text.includes(secret), secret);
  }
});

Deno.test("failures and cancellations keep their words to those with the key, an error's code too", async () => {
  const { log, worker } = setUp();
  const task = worker.task("t");
  await task.retrying(Object.assign(new Error("no such user: ann"), { code: "ENOANN" }));
  await task.cancelled("ann left");
  assertEquals(await story(log), [
    ["retrying", { attempt: 2, error: { message: { message: "no such user: ann", code: "ENOANN" } } }],
    ["cancelled", { attempt: 2, reason: { reason: "ann left" } }],
  ]);
});

Deno.test("counters and the name stay readable where that is allowed", async () => {
  const { clock, log, worker } = setUp({ clear: ["counters", "name"] });
  const task = worker.task("t");
  await task.created({ name: "Import", total: 9 });
  task.progress({ completed: 3 });
  await clock.advance(1_000);
  task.progress({ completed: 4, current: "ann.csv", percentage: 44 });
  await task.flush();
  assertEquals(await story(log), [
    ["created", { name: "Import", total: 9 }],
    ["progress", { attempt: 1, total: 9, completed: 3 }],
    ["progress", { attempt: 1, total: 9, completed: 4, percentage: 44, current: { current: "ann.csv" } }],
  ]);
});

Deno.test("texts that are too long to be sealed are cut, names and results are refused", async () => {
  const { log, worker } = setUp();
  const task = worker.task("t");
  const tooLong = "n".repeat(400);
  await assertRejects(
    () => task.created({ name: tooLong }),
    WorkerError,
    `body.name: must be at most ${sealableBytes(512, "k1")} bytes of JSON to be sealed`,
  );
  task.progress({ current: "语".repeat(4_096), status: "s".repeat(4_096) });
  await task.flush();
  await assertRejects(() => task.completed("r".repeat(60_000)), WorkerError, "bytes when it is sealed");
  await task.failed(new Error("\u0000".repeat(4_096)));
  const [progress, failed] = log.events.map(({ json }) => JSON.parse(json));
  const said = await opened(progress.current, "progress");
  assert(JSON.stringify(said).includes("语语") && JSON.stringify(said).includes("ss"));
  assert(progress.current.length <= 4_096 && failed.error.message.length <= 16_384);
  await story(log);
});

Deno.test("a key that is named from now on seals from now on, and an event that is tried again stays what it was", async () => {
  const { clock, log, worker, encryption } = setUp();
  const task = worker.task("t");
  log.mishap = () => ({ error: new WorkerError("unreachable", "away"), stored: true });
  const failed = task.failed("first");
  await settled();
  encryption.keyId = "k2";
  log.mishap = () => undefined;
  await clock.advance(60_000);
  await failed;
  assertEquals(new Set(log.events.map(({ json }) => json)).size, 1);
  await task.retrying("second");
  const ids = log.events.map(({ json }) => /enc:v1:(\w+)/.exec(json)?.[1]);
  assertEquals([ids[0], ids.at(-1)], ["k1", "k2"]);
});

Deno.test("a key that was added since the worker was made seals as soon as it is named", async () => {
  const { log, worker, encryption } = setUp({ keys: { k1: KEYS.k1 } });
  const task = worker.task("t");
  await task.created({ name: "one" });
  encryption.keys = { ...encryption.keys, k2: KEYS.k2 };
  encryption.keyId = "k2";
  await task.created({ name: "two" });
  encryption.keys = { k3: new Uint8Array(32).fill(3), k2: "short" };
  await assertRejects(() => task.created(), WorkerError, "encryption: key k2: must be 32 bytes");
  encryption.keyId = "constructor";
  await assertRejects(() => task.created(), WorkerError, 'there is no key "constructor"');
  const names = log.events.map(({ json }) => JSON.parse(json).name);
  assertEquals(names.map((name) => /enc:v1:(\w+)/.exec(name)?.[1]), ["k1", "k2"]);
  assertEquals(await Promise.all(names.map((name) => opened(name, "name"))), ["one", "two"]);
});

Deno.test("what is said while a key is named that is not there is told, and in the log as soon as it is", async () => {
  const { clock, log, worker, encryption, troubles } = setUp({ keys: { k1: KEYS.k1 } });
  const task = worker.task("t");
  // Taken while there was a key, and on its way when there is none.
  const ended = task.failed("away");
  encryption.keyId = "k2";
  await settled();
  assertEquals([log.events.length, troubles], [0, ['encryption: keyId: there is no key "k2"']]);
  encryption.keys = { k2: KEYS.k2 };
  await clock.advance(60_000);
  await ended;
  assertEquals(await story(log), [["failed", { attempt: 1, error: { message: { message: "away" } } }]]);
});

Deno.test("keys that are none are told at the start", () => {
  const make = (changes: Partial<Encryption>) => () => setUp(changes);
  assertThrows(make({ keyId: "k3" }), WorkerError, 'encryption: keyId: there is no key "k3"');
  assertThrows(make({ keys: { k1: "short" } }), WorkerError, "encryption: key k1: must be 32 bytes");
});
