import { assertEquals, assertRejects } from "@std/assert";
import { Namespaces } from "../../src/channel/namespaces.ts";
import logs from "../../src/plugins/examples/task_log.ts";
import type { OutgoingValue, ValueCarrier } from "../../src/worker/outgoing_value.ts";
import { createPublisher, type PublisherOptions } from "../../src/worker/publisher.ts";
import { taskLog } from "../../src/worker/task_log.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";
import { ManualClock, settled } from "./manual_clock.ts";

/** A log in memory that takes values when the test lets it. */
function setUp(options: PublisherOptions = {}) {
  const stored: OutgoingValue[] = [];
  const sends: number[] = [];
  const clock = new ManualClock();
  const troubles: string[] = [];
  const world = { fails: 0, until: Promise.resolve() };
  const carrier: ValueCarrier = {
    batch: { events: 3, bytes: Infinity },
    laneOf: ({ topic }) => topic,
    async send(values) {
      await world.until;
      sends.push(values.length);
      const seqs = values.map((value) => {
        const known = stored.findIndex(({ id }) => id === value.id);
        if (known === -1) stored.push(value);
        return { seq: known === -1 ? stored.length : known + 1, duplicate: known !== -1 };
      });
      if (world.fails-- > 0) throw new WorkerError("unreachable", "the acknowledgement was lost");
      return seqs;
    },
    onReachable: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  let made = 0;
  const publisher = createPublisher(carrier, {
    clock,
    newId: () => `v${++made}`,
    onTrouble: ({ message }) => troubles.push(message),
    ...options,
  });
  return { publisher, stored, sends, clock, troubles, world };
}

Deno.test("values given together travel together, in order, and each learns where it is", async () => {
  const { publisher, stored, sends } = setUp();
  const where = await Promise.all([1, 2, 3, 4].map((value) => publisher.publish("data:a", value, "k")));
  assertEquals(where.map(({ seq }) => seq), [1, 2, 3, 4]);
  assertEquals(stored.map(({ json }) => json), ["1", "2", "3", "4"]);
  assertEquals(sends, [3, 1]);
  await publisher.close();
});

Deno.test("a value whose acknowledgement was lost is sent again under its id, and stored once", async () => {
  const { publisher, stored, clock, world, troubles } = setUp();
  world.fails = 1;
  const sent = publisher.publish("data:a", { close: 1 }, "BTC");
  const newer = publisher.publish("data:a", { close: 2 }, "BTC");
  await clock.advance(100);
  assertEquals(await sent, { seq: 1, duplicate: true });
  await newer;
  assertEquals(stored.map(({ json }) => json), [`{"close":1}`, `{"close":2}`]);
  assertEquals(troubles, ["the acknowledgement was lost"]);
  await publisher.close();
});

Deno.test("who awaits what send returns is as slow as the log; who does not is told so in the end", async () => {
  const { publisher, stored, world } = setUp({ maxQueued: 2 });
  const gate = Promise.withResolvers<void>();
  world.until = gate.promise;
  await publisher.send("data:a", 1);
  await publisher.send("data:a", 2);
  let isThrough = false;
  const third = publisher.send("data:a", 3).then(() => isThrough = true);
  await settled();
  assertEquals(isThrough, false);
  const fourth = publisher.send("data:a", 4);
  await assertRejects(() => publisher.send("data:a", 5), WorkerError, "await what send returns");
  gate.resolve();
  await Promise.all([third, fourth, publisher.flush()]);
  assertEquals(stored.map(({ json }) => json), ["1", "2", "3", "4"]);
  await publisher.close();
});

Deno.test("what is no value is refused before it is sent, and names the rule", async () => {
  const { publisher, stored } = setUp();
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const wrong: readonly [Parameters<typeof publisher.publish>, string][] = [
    [["task:status", 1], "no such channel: task:status"],
    [["data:a b", 1], "no such channel: data:a b"],
    [["data:a", undefined], "payload: must be JSON"],
    [["data:a", circle], "payload: must be JSON"],
    [["data:a", "x".repeat(65_536)], "payload: must be at most 65536 bytes"],
    [["data:a", 1, "a b"], "key: must be 1–128 characters"],
    [["data:a", 1, { eventId: "a b" }], "eventId: must be 1–100"],
  ];
  for (const [given, rule] of wrong) {
    await assertRejects(() => publisher.publish(...given), WorkerError, rule);
    await assertRejects(() => publisher.send(...given), WorkerError, rule);
  }
  assertEquals(stored, []);
  await publisher.close();
  await assertRejects(() => publisher.publish("data:a", 1), WorkerError, "closed");
});

Deno.test("a value that no log would take is refused at once, and holds up none behind it", async () => {
  const { publisher, stored } = setUp();
  const tooLong = publisher.publish("data:a", 1, "\u{1f600}".repeat(128));
  const next = publisher.publish("data:a", 2, "k");
  await assertRejects(() => tooLong, WorkerError, "key: must be shorter");
  await next;
  assertEquals(stored.map(({ json }) => json), ["2"]);
  await publisher.close();
});

Deno.test("a task's log takes lines as gateways do, and refuses what they would not, however it gets there", async () => {
  const { publisher, stored } = setUp();
  const log = taskLog(publisher, "job1");
  await log("it begins");
  await log("x".repeat(16_384), "error");
  await assertRejects(() => log("x".repeat(16_385)), WorkerError, "text: must be a text of at most 16384");
  await assertRejects(() => log(JSON.parse("7")), WorkerError, "text: must be a text");
  await assertRejects(() => log("x", JSON.parse(`"loud"`)), WorkerError, "level: must be one of debug, info");
  await assertRejects(
    () => taskLog(publisher, "job 1")("x"),
    WorkerError,
    "no such channel: task:id:job 1:log",
  );
  await publisher.flush();
  assertEquals(stored.map(({ topic, json }) => [topic, json.length, JSON.parse(json).level]), [
    ["task:id:job1:log", 35, "info"],
    ["task:id:job1:log", 16_411, "error"],
  ]);
  const namespaces = new Namespaces(logs.namespaces ?? []);
  for (const { topic, json } of stored) {
    assertEquals(namespaces.faultOf({ topic, payload: JSON.parse(json) }, { isNew: true }), undefined);
  }
  await publisher.close();
});
