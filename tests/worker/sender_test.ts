import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { parseTaskId } from "../../src/worker/outgoing.ts";
import { type Outgoing, outgoing } from "../../src/worker/outgoing.ts";
import { Sender, type SenderLimits } from "../../src/worker/sender.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";
import { ManualClock, settled } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";

let made = 0;

function paused(taskId: string, clock: ManualClock): Outgoing {
  const event = { id: `id-${made++}`, taskId: parseTaskId(taskId), kind: "paused", attempt: 1 } as const;
  return outgoing(event, { attempt: 1 }, clock.now());
}

function progress(taskId: string, clock: ManualClock, completed: number): Outgoing {
  const event = { id: `id-${made++}`, taskId: parseTaskId(taskId), kind: "progress", attempt: 1 } as const;
  return outgoing(event, { attempt: 1, completed }, clock.now());
}

function setUp(limits: Partial<SenderLimits> = {}, log = new MemoryLog()) {
  const clock = new ManualClock();
  const troubles: string[] = [];
  const sender = new Sender(log, {
    clock,
    limits: { maxQueued: 1000, maxInFlight: 32, deadlineMs: Infinity, ...limits },
    onTrouble: (trouble) => troubles.push(trouble.message),
  });
  return { clock, log, sender, troubles };
}

const unreachable = new WorkerError("unreachable", "the log is away");
const refused = new WorkerError("refused", "you may not");

Deno.test("events given together travel together, and each learns where it is stored", async () => {
  const { clock, log, sender } = setUp();
  const stored = await Promise.all([1, 2, 3].map(() => sender.submit(paused("a", clock))));
  assertEquals(stored.map(({ seq }) => seq), [1, 2, 3]);
  assertEquals(log.sends, [3]);
});

Deno.test("an event whose acknowledgement was lost is sent again under the same id and stored once", async () => {
  const { clock, log, sender } = setUp();
  let sends = 0;
  log.mishap = () => ++sends === 1 ? { error: unreachable, stored: true } : undefined;
  const stored = sender.submit(paused("a", clock));
  await clock.advance(100);
  assertEquals(await stored, { seq: 1, duplicate: true });
  assertEquals(log.events.length, 1);
});

Deno.test("an outage is tried through with growing waits up to five seconds, and told once a minute", async () => {
  const { clock, log, sender, troubles } = setUp();
  const triedMs: number[] = [];
  log.mishap = () => {
    triedMs.push(clock.now());
    return { error: unreachable };
  };
  const startMs = clock.now();
  const stored = sender.submit(paused("a", clock));
  await clock.advance(20_000);
  const waits = triedMs.slice(1).map((atMs, i) => atMs - (triedMs[i] ?? startMs));
  assertEquals(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assertEquals(troubles, ["the log is away"]);
  await clock.advance(60_000);
  assertEquals(troubles.length, 2);
  log.mishap = () => undefined;
  await clock.advance(5_000);
  assertEquals(await stored, { seq: 1, duplicate: false });
});

Deno.test("a clock that is set gives up no event before its time, and holds none beyond it", async () => {
  const { clock, log, sender, troubles } = setUp({ deadlineMs: 60_000 });
  log.mishap = () => ({ error: unreachable });
  const kept = sender.submit(paused("a", clock));
  await clock.advance(10_000);
  clock.set(3_600_000);
  await clock.advance(10_000);
  log.mishap = () => undefined;
  await clock.advance(5_000);
  assertEquals(await kept, { seq: 1, duplicate: false });
  log.mishap = () => ({ error: unreachable });
  clock.set(-86_400_000);
  const rejected = assertRejects(() => sender.submit(paused("b", clock)), WorkerError, "the log is away");
  await clock.advance(60_000);
  await rejected;
  assertEquals(troubles.length, 2);
});

Deno.test("as soon as the log says it is back, everything waiting is tried", async () => {
  const { clock, log, sender } = setUp();
  log.mishap = () => ({ error: unreachable });
  const stored = [sender.submit(paused("a", clock)), sender.submit(paused("b", clock))];
  await clock.advance(4_000);
  log.mishap = () => undefined;
  log.comeBack();
  assertEquals((await Promise.all(stored)).map(({ duplicate }) => duplicate), [false, false]);
  assertEquals(clock.pending, 0);
});

Deno.test("a log that asks to be left alone is", async () => {
  const { clock, log, sender } = setUp();
  log.mishap = () => ({ error: new WorkerError("unreachable", "too many", { retryAfterMs: 30_000 }) });
  const stored = sender.submit(paused("a", clock));
  await clock.advance(29_999);
  assertEquals(log.sends.length, 1);
  log.mishap = () => undefined;
  await clock.advance(1);
  assertEquals((await stored).seq, 1);
});

Deno.test("a refused event rejects its own call only: those sent with it get in", async () => {
  const { clock, log, sender } = setUp();
  const events = [1, 2, 3].map(() => paused("a", clock));
  log.mishap = (batch) => batch.some((event) => event.id === events[1]?.id) ? { error: refused } : undefined;
  const outcomes = await Promise.allSettled(events.map((event) => sender.submit(event)));
  assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assertEquals(log.events.map(({ id }) => id), [events[0]?.id, events[2]?.id]);
  await sender.submit(paused("a", clock));
  assertEquals(log.sends, [3, 1, 1, 1, 1]);
});

Deno.test("past its deadline an event is given up with the reason of its last try", async () => {
  const { clock, log, sender } = setUp({ deadlineMs: 3_000 });
  log.mishap = () => ({ error: unreachable });
  const failing = assertRejects(() => sender.submit(paused("a", clock)), WorkerError, "the log is away");
  await clock.advance(3_000);
  await failing;
  assertEquals(clock.pending, 0);
});

Deno.test("no more tasks than the cap send at once, and the others get their turn", async () => {
  const { clock, log, sender } = setUp({ maxInFlight: 2 });
  log.mishap = () => ({ until: settled() });
  const stored = ["a", "b", "c", "d", "e"].map((taskId) => sender.submit(paused(taskId, clock)));
  await Promise.all(stored);
  assertEquals(log.mostInFlight, 2);
});

Deno.test("at the bound status events wait for room, and past as many again the call is rejected", async () => {
  const { clock, log, sender } = setUp({ maxQueued: 2 });
  let letGo = () => {};
  const until = new Promise<void>((resolve) => letGo = resolve);
  log.mishap = () => ({ until });
  const stored = [1, 2, 3, 4].map(() => sender.submit(paused("a", clock)));
  await assertRejects(
    () => sender.submit(paused("a", clock)),
    WorkerError,
    "2 events are queued and as many wait",
  );
  letGo();
  assertEquals((await Promise.all(stored)).map(({ seq }) => seq), [1, 2, 3, 4]);
});

Deno.test("closing rejects what is not stored, interrupts what is on its way, and leaves no timer", async () => {
  const { clock, log, sender } = setUp();
  log.mishap = ([event]) => event?.taskId === "a" ? { until: new Promise(() => {}) } : { error: unreachable };
  const calls = [sender.submit(paused("a", clock)), sender.submit(paused("b", clock))];
  await settled();
  const flushed = sender.flush();
  assertEquals(sender.close(), 2);
  for (const call of calls) assertEquals((await assertRejects(() => call, WorkerError)).code, "closed");
  await flushed;
  assertEquals(clock.pending, 0);
  await assertRejects(() => sender.submit(paused("a", clock)), WorkerError, "the worker was closed");
});

type Step = { readonly task: number; readonly status: boolean; readonly waitMs: number };

const steps = fc.array(
  fc.record({ task: fc.nat(2), status: fc.boolean(), waitMs: fc.constantFrom(0, 0, 50, 500) }),
  { maxLength: 25 },
);
/** What goes wrong at each send in turn: nothing, the event is lost, or its acknowledgement is. */
const mishaps = fc.array(fc.constantFrom("none", "lost", "unacknowledged"), { maxLength: 30 });

Deno.test("whatever the log does, status events are stored once and in order, and the newest progress arrives", async () => {
  await fc.assert(
    fc.asyncProperty(steps, mishaps, fc.constantFrom(1, 3, 1000), async (given, wrong, batchEvents) => {
      const { clock, log, sender } = setUp({ maxInFlight: 2 }, new MemoryLog(batchEvents));
      let sends = 0;
      log.mishap = () => {
        const what = wrong[sends++] ?? "none";
        return what === "none"
          ? { until: settled() }
          : { error: unreachable, stored: what === "unacknowledged" };
      };
      const told = await tell(sender, clock, given);
      let flushed = false;
      void sender.flush().then(() => flushed = true);
      // Thirty mishaps in a row take two minutes and a half.
      for (let round = 0; round < 100 && !flushed; round++) await clock.advance(5_000);
      assert(flushed, "everything comes to its end");
      assert(log.mostInFlightOfATask <= 1, "one in flight a task");
      for (const [taskId, events] of told) {
        const arrived = log.events.filter((event) => event.taskId === taskId);
        const statuses = events.filter((event) => event.kind === "paused").map(({ id }) => id);
        assertEquals(arrived.filter((event) => event.kind === "paused").map(({ id }) => id), statuses);
        assertEquals(arrived.map(({ id }) => id), ordered(arrived, events), "in the order given");
        assertEquals(arrived.at(-1)?.id, events.at(-1)?.id, "the newest arrives last");
      }
    }),
    { numRuns: 60 },
  );
});

/** Says each step's event; returns what was said of each task. */
async function tell(
  sender: Sender,
  clock: ManualClock,
  given: readonly Step[],
): Promise<Map<string, Outgoing[]>> {
  const told = new Map<string, Outgoing[]>();
  for (const [i, { task, status, waitMs }] of given.entries()) {
    const taskId = `task-${task}`;
    const event = status ? paused(taskId, clock) : progress(taskId, clock, i);
    told.set(taskId, [...told.get(taskId) ?? [], event]);
    if (status) void sender.submit(event);
    else sender.offer(event, () => {});
    await clock.advance(waitMs);
  }
  return told;
}

function ordered(arrived: readonly Outgoing[], events: readonly Outgoing[]): string[] {
  return events.map(({ id }) => id).filter((id) => arrived.some((event) => event.id === id));
}
