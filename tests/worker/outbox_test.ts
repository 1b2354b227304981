import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Outbox } from "../../src/worker/outbox.ts";

type Event = {
  readonly n: number;
  readonly taskId: string;
  readonly kind: "progress" | "paused";
  readonly attempt: number;
  readonly bytes: number;
};

const ANY = { events: 1000, bytes: Infinity };

let made = 0;
function event(taskId: string, kind: Event["kind"], attempt = 1, bytes = 1): Event {
  return { n: made++, taskId, kind, attempt, bytes };
}

function ns(events: readonly Event[]): number[] {
  return events.map(({ n }) => n);
}

Deno.test("progress replaces the progress it comes right behind, but not across a status event or an attempt", () => {
  const outbox = new Outbox<Event>(10);
  const [first, second, paused, third, fourth] = [
    event("a", "progress"),
    event("a", "progress"),
    event("a", "paused"),
    event("a", "progress"),
    event("a", "progress", 2),
  ] as const;
  assertEquals(outbox.offer(first), { kind: "queued" });
  assertEquals(outbox.offer(second), { kind: "queued", replaced: first });
  for (const other of [paused, third, fourth]) assertEquals(outbox.offer(other), { kind: "queued" });
  assertEquals(outbox.take("a", ANY), [second, paused, third, fourth]);
});

Deno.test("progress on its way is not replaced, until it comes back", () => {
  const outbox = new Outbox<Event>(10);
  const [first, second] = [event("a", "progress"), event("a", "progress")] as const;
  outbox.offer(first);
  outbox.take("a", ANY);
  assertEquals(outbox.offer(second), { kind: "queued" });
  assertEquals(outbox.settle("a", 0), { replaced: [first], tasks: ["a"] });
  assertEquals(outbox.size, 1);
  assertEquals(outbox.take("a", ANY), [second]);
});

Deno.test("one batch of a task is on its way at a time, and it is bounded in events and bytes", () => {
  const outbox = new Outbox<Event>(10);
  const events = [event("a", "paused", 1, 40), event("a", "paused", 1, 60), event("a", "paused", 1, 1)];
  for (const one of events) outbox.offer(one);
  assertEquals(ns(outbox.take("a", { events: 10, bytes: 100 })), ns(events.slice(0, 2)));
  assertEquals(outbox.take("a", ANY), []);
  outbox.settle("a", 2);
  assertEquals(
    ns(outbox.take("a", { events: 10, bytes: 0 })),
    ns(events.slice(2)),
    "one goes whatever its size",
  );
});

Deno.test("at the bound the oldest waiting progress goes first, whosever it is", () => {
  const outbox = new Outbox<Event>(3);
  const [onItsWay, oldest, newer] = [
    event("a", "progress"),
    event("b", "progress"),
    event("c", "progress"),
  ] as const;
  for (const one of [onItsWay, oldest, newer]) outbox.offer(one);
  outbox.take("a", ANY);
  assertEquals(outbox.offer(event("d", "paused")), { kind: "queued", evicted: oldest });
  assertEquals(outbox.offer(event("d", "progress")), { kind: "queued", evicted: newer });
  assertEquals(outbox.size, 3);
  assertEquals(outbox.take("b", ANY), []);
});

Deno.test("at the bound status events wait in order, progress is not taken, and the waiting is bounded too", () => {
  const outbox = new Outbox<Event>(2);
  const events = [1, 2, 3, 4].map(() => event("a", "paused"));
  assertEquals(events.map((one) => outbox.offer(one).kind), ["queued", "queued", "waiting", "waiting"]);
  assertEquals(outbox.offer(event("b", "progress")), { kind: "full" });
  assertEquals(outbox.offer(event("b", "paused")), { kind: "full" });
  assertEquals(ns(outbox.take("a", ANY)), ns(events.slice(0, 2)));
  assertEquals(outbox.settle("a", 1), { replaced: [], tasks: ["a", "a"] });
  assertEquals(ns(outbox.take("a", ANY)), ns(events.slice(1, 3)));
  outbox.settle("a", 2);
  assertEquals(ns(outbox.take("a", ANY)), ns(events.slice(3)));
  outbox.settle("a", 1);
  assertEquals(outbox.size, 0);
});

Deno.test("nothing overtakes the status events that wait, not even in the room of progress that came back", () => {
  const outbox = new Outbox<Event>(1);
  const [progress, first, second] = [
    event("a", "progress"),
    event("a", "paused"),
    event("a", "paused"),
  ] as const;
  outbox.offer(progress);
  outbox.take("a", ANY);
  outbox.offer(first);
  outbox.settle("a", 0);
  assertEquals(outbox.offer(event("a", "progress")), { kind: "full" });
  assertEquals(outbox.offer(second), { kind: "full" });
  assertEquals(outbox.take("a", ANY), [progress]);
  outbox.settle("a", 1);
  assertEquals(outbox.take("a", ANY), [first]);
});

Deno.test("what was given up to a turn is held until it, or what replaced it, has come to its end", () => {
  const outbox = new Outbox<Event>(10);
  outbox.offer(event("a", "progress"));
  const { turn } = outbox;
  outbox.offer(event("a", "progress"));
  outbox.offer(event("b", "paused"));
  assertEquals([outbox.holds(turn), outbox.holds(turn, "a"), outbox.holds(turn, "b")], [true, true, false]);
  outbox.take("a", ANY);
  assertEquals(outbox.holds(turn, "a"), true);
  outbox.settle("a", 1);
  assertEquals([outbox.holds(turn), outbox.holds(outbox.turn)], [false, true]);
});

type Action =
  | { readonly do: "offer"; readonly task: number; readonly kind: Event["kind"]; readonly attempt: number }
  | { readonly do: "take"; readonly task: number; readonly events: number }
  | { readonly do: "settle"; readonly task: number; readonly count: number };

const task = fc.integer({ min: 0, max: 2 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("offer" as const),
      task,
      kind: fc.constantFrom("progress" as const, "paused" as const),
      attempt: fc.constantFrom(1, 1, 1, 2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("take" as const), task, events: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("settle" as const), task, count: fc.nat(4) }) },
);

/** Plays actions, then sends all that is left. Returns what was offered and what came of it. */
function play(actions: readonly Action[], maxEvents: number) {
  const outbox = new Outbox<Event>(maxEvents);
  const inFlight = new Map<string, readonly Event[]>();
  const offered: Event[] = [];
  const sent: Event[] = [];
  const refused: Event[] = [];
  const evicted: Event[] = [];
  const replaced: Event[] = [];
  const settle = (taskId: string, count: number) => {
    const batch = inFlight.get(taskId) ?? [];
    inFlight.delete(taskId);
    sent.push(...batch.slice(0, count));
    replaced.push(...outbox.settle(taskId, Math.min(count, batch.length)).replaced);
  };
  const take = (taskId: string, events: number) => {
    const batch = outbox.take(taskId, { events, bytes: Infinity });
    if (batch.length > 0) inFlight.set(taskId, batch);
  };
  for (const action of actions) {
    const taskId = `task-${action.task}`;
    if (action.do === "take") take(taskId, action.events);
    else if (action.do === "settle") settle(taskId, action.count);
    else {
      const one = event(taskId, action.kind, action.attempt);
      offered.push(one);
      const outcome = outbox.offer(one);
      if (outcome.kind === "full") refused.push(one);
      if (outcome.kind === "queued" && outcome.evicted) evicted.push(outcome.evicted);
      if (outcome.kind === "queued" && outcome.replaced) replaced.push(outcome.replaced);
    }
    if (outbox.size > maxEvents) throw new Error(`${outbox.size} events are queued, ${maxEvents} may be`);
  }
  for (let round = 0; outbox.size > 0 && round < 1000; round++) {
    for (const taskId of ["task-0", "task-1", "task-2"]) {
      settle(taskId, Infinity);
      take(taskId, 100);
    }
  }
  return { offered, sent, refused, evicted, replaced, size: outbox.size };
}

Deno.test("whatever happens, every event has one end, status events all arrive, and each task keeps its order", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (actions, maxEvents) => {
      const { offered, sent, refused, evicted, replaced, size } = play(actions, maxEvents);
      const ends = [...sent, ...refused, ...evicted, ...replaced];
      assertEquals(ns(ends).sort((a, b) => a - b), ns(offered), "one end each");
      assertEquals(size, 0);
      assertEquals([...evicted, ...replaced].filter(({ kind }) => kind !== "progress"), []);
      for (const taskId of ["task-0", "task-1", "task-2"]) {
        const arrived = ns(sent.filter((one) => one.taskId === taskId));
        assertEquals(arrived, arrived.toSorted((a, b) => a - b), "in order");
      }
    }),
  );
});

Deno.test("whatever happens, progress is replaced only by newer progress of the same attempt with nothing in between", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (actions, maxEvents) => {
      const { offered, refused, replaced } = play(actions, maxEvents);
      for (const old of replaced) {
        const later = offered.filter((one) =>
          one.taskId === old.taskId && one.n > old.n && !refused.includes(one)
        );
        assertEquals([later[0]?.kind, later[0]?.attempt], ["progress", old.attempt]);
      }
    }),
  );
});
