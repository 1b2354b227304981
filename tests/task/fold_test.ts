import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { changeOf, countersEvent, fold, join, LEVELS, type TaskState } from "../../src/task/fold.ts";
import { isTerminal, statusData, statusOf } from "../../src/task/task.ts";
import { KINDS, type TaskEvent } from "../../src/task/worker_event.ts";
import type { TaskStatusData } from "../../src/protocol/server_frames.ts";
import {
  arbitraryDelivery,
  arbitraryHistory,
  event,
  foldAll,
  lastOfEachKind,
  stragglersOf,
} from "./arbitrary_history.ts";

const RUNS = { numRuns: 500 };

/** Folds a history, handing every step to `see`. */
function replay(
  history: readonly TaskEvent[],
  see: (before: TaskState | undefined, after: TaskState, event: TaskEvent) => void,
): void {
  let before: TaskState | undefined;
  for (const one of history) {
    const after = fold(before, one);
    see(before, after, one);
    before = after;
  }
}

Deno.test("any order and any duplicates of the same events give the same task", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ history, delivered }) => {
      assertEquals(foldAll(delivered), foldAll(history));
    }),
    RUNS,
  );
});

Deno.test("folding an event again returns the very same state", () => {
  fc.assert(
    fc.property(arbitraryHistory, fc.nat(), (history, pick) => {
      const state = foldAll(history);
      const again = history[pick % history.length];
      assert(again !== undefined);
      assertStrictEquals(fold(state, again), state);
      assertStrictEquals(fold(state, structuredClone(again)), state);
    }),
    RUNS,
  );
});

Deno.test("the join of two parts of a history, overlapping or not, is the task of the whole", () => {
  const parts = arbitraryHistory.chain((history) =>
    fc.tuple(
      fc.constant(history),
      fc.shuffledSubarray([...history], { minLength: 1 }),
      fc.shuffledSubarray([...history], { minLength: 1 }),
    )
  );
  fc.assert(
    fc.property(parts, ([history, some, others]) => {
      const [one, other, whole] = [foldAll(some), foldAll(others), foldAll(history)];
      assertEquals(join(one, other), foldAll([...some, ...others]));
      assertEquals(join(one, other), join(other, one));
      assertEquals(join(one, one), one);
      assertEquals(join(whole, one), whole);
      assertEquals(join(join(one, other), whole), join(one, join(other, whole)));
    }),
    RUNS,
  );
});

Deno.test("the greatest event by attempt, level and position asks for the status", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ history, delivered }) => {
      const greatest = history.reduce((top, one) => {
        const order = one.attempt - top.attempt || LEVELS[one.kind] - LEVELS[top.kind] || one.seq - top.seq;
        return order > 0 ? one : top;
      });
      assertStrictEquals(foldAll(delivered).top, greatest);
    }),
    RUNS,
  );
});

Deno.test("without stragglers the last event of each kind gives the same task as the whole history", () => {
  fc.assert(
    fc.property(arbitraryHistory, (history) => {
      const stragglers = stragglersOf(history);
      const orderly = history.filter((one) => !stragglers.has(one));
      assertEquals(foldAll(lastOfEachKind(orderly)), foldAll(orderly));
    }),
    RUNS,
  );
});

Deno.test("without stragglers any compaction that keeps the last of each kind gives the same task", () => {
  const compacted = arbitraryHistory.chain((history) =>
    fc.tuple(fc.constant(history), fc.subarray([...history]))
  );
  fc.assert(
    fc.property(compacted, ([history, kept]) => {
      const stragglers = stragglersOf(history);
      const orderly = history.filter((one) => !stragglers.has(one));
      const rest = kept.filter((one) => !stragglers.has(one));
      assertEquals(foldAll([...rest, ...lastOfEachKind(orderly)]), foldAll(orderly));
    }),
    RUNS,
  );
});

Deno.test("a straggler hides, in a compacted history, what a newer attempt said with that kind, and nothing else", () => {
  let hidden = 0;
  fc.assert(
    fc.property(arbitraryHistory, (history) => {
      const stragglers = stragglersOf(history);
      const last = lastOfEachKind(history);
      const whole = foldAll(history);
      const compacted = foldAll(last);
      for (const kind of KINDS) {
        const [seen, said] = [compacted.greatest[kind], whole.greatest[kind]];
        if (seen === said) continue;
        hidden++;
        assert(seen !== undefined && said !== undefined);
        assert(stragglers.has(seen), `only a straggler hides: ${kind} of ${seen.seq}`);
        assertStrictEquals(seen, last.find((one) => one.kind === kind));
        assert(seen.attempt < said.attempt, "what is hidden is of a newer attempt");
      }
      const untouched = KINDS.every((kind) => compacted.greatest[kind] === whole.greatest[kind]);
      if (untouched) assertEquals(compacted, whole);
    }),
    RUNS,
  );
  assert(hidden > 0, "no history had a straggler that hides something");
});

Deno.test("a straggler hides the counters of the newer attempt until its next progress", () => {
  const history = [
    event("progress", 1, { attempt: 2, total: 10, completed: 5 }),
    event("started", 2, { attempt: 2 }),
    event("progress", 3, { attempt: 1, total: 10, completed: 9 }),
  ];
  assertEquals(statusData(foldAll(history), undefined).progress.completed, 5);
  const booted = foldAll(lastOfEachKind(history));
  assertEquals(statusData(booted, undefined).progress.completed, 0);
  const next = event("progress", 4, { attempt: 2, total: 10, completed: 6 });
  assertEquals(statusData(fold(booted, next), undefined).progress.completed, 6);
});

/** A task as one sees it who gets every frame, and nothing but frames. */
function watched(history: readonly TaskEvent[]): TaskStatusData | undefined {
  let seen: TaskStatusData | undefined;
  replay(history, (before, after, one) => {
    const change = changeOf(before, after, one);
    const now = statusData(after, undefined);
    if (change.progress && seen !== undefined) seen = { ...seen, progress: now.progress };
    if (change.status) seen = now;
  });
  return seen;
}

Deno.test("the changes that are told reproduce the task, whatever the order of its events", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      assertEquals(watched(delivered), statusData(foldAll(delivered), undefined));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("an event that has nothing to tell changes nothing that frames carry", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after, one) => {
        if (before === undefined) return;
        const { progress: counted, ...rest } = statusData(before, undefined);
        const { progress: countedNow, ...restNow } = statusData(after, undefined);
        const change = changeOf(before, after, one);
        if (!change.status) assertEquals(restNow, rest);
        if (!change.status && !change.progress) assertEquals(countedNow, counted);
      });
    }),
    RUNS,
  );
});

Deno.test("an event that comes twice or is surpassed by one of its kind is late: it has nothing to tell", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after, one) => {
        const known = before?.greatest[one.kind];
        const surpassed = known !== undefined &&
          (known.attempt > one.attempt || (known.attempt === one.attempt && known.seq >= one.seq));
        if (!surpassed) return;
        assertStrictEquals(after, before);
        assertEquals(changeOf(before, after, one), { progress: false, status: false });
      });
    }),
    RUNS,
  );
});

Deno.test("every change of the status is told", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after, one) => {
        if (before !== undefined && statusOf(before) === statusOf(after)) return;
        assert(changeOf(before, after, one).status);
      });
    }),
    RUNS,
  );
});

Deno.test("only a higher attempt reopens an ended task", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after) => {
        if (before === undefined || !isTerminal(statusOf(before)) || isTerminal(statusOf(after))) return;
        assert(after.top.attempt > before.top.attempt);
      });
    }),
    RUNS,
  );
  const ended = foldAll([event("started", 1), event("failed", 2)]);
  assertEquals(statusOf(fold(ended, event("started", 3))), "failed");
  assertEquals(statusOf(fold(ended, event("progress", 3, { attempt: 2 }))), "running");
});

Deno.test("progress never un-pauses a task of the same attempt", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after, one) => {
        if (before === undefined || statusOf(before) !== "paused" || one.kind !== "progress") return;
        if (one.attempt <= before.top.attempt) assertEquals(statusOf(after), "paused");
      });
    }),
    RUNS,
  );
  const paused = foldAll([event("started", 1), event("paused", 2)]);
  const worked = fold(paused, event("progress", 3, { total: 4, completed: 1 }));
  assertEquals(statusOf(worked), "paused");
  assertEquals(statusData(worked, undefined).progress.percentage, 25);
});

Deno.test("a late created never rewinds a task, and describes it all the same", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after, one) => {
        if (before === undefined || one.kind !== "created" || before.top.kind === "created") return;
        assertStrictEquals(after.top, before.top);
      });
    }),
    RUNS,
  );
  const running = fold(undefined, event("progress", 1, { completed: 5 }));
  const created = event("created", 2, { name: "Import", tags: ["eu"], total: 10 });
  const described = fold(running, created);
  const { status, name, tags, progress } = statusData(described, undefined);
  assertEquals([status, name, tags, progress.percentage], ["running", "Import", ["eu"], 50]);
  assertEquals(changeOf(running, described, created), { progress: true, status: true });
});

Deno.test("nothing but a terminal event or a higher attempt ends cancelling", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      replay(delivered, (before, after) => {
        if (before === undefined || statusOf(before) !== "cancelling" || statusOf(after) === "cancelling") {
          return;
        }
        assert(isTerminal(statusOf(after)) || after.top.attempt > before.top.attempt);
      });
    }),
    RUNS,
  );
  const asked = foldAll([event("started", 1), event("cancel_requested", 2, { reason: "too slow" })]);
  for (const kind of ["created", "started", "progress", "paused", "resumed", "retrying"] as const) {
    assertEquals(statusOf(fold(asked, event(kind, 3))), "cancelling");
  }
});

Deno.test("of the terminal events of one attempt completed outweighs cancelled, and cancelled failed", () => {
  const [failed, cancelled, completed] = [event("failed", 3), event("cancelled", 2), event("completed", 1)];
  assertEquals(statusOf(foldAll([failed, cancelled])), "cancelled");
  assertEquals(statusOf(foldAll([failed, cancelled, completed])), "completed");
});

Deno.test("the counters are those of the last event of the current attempt that carries any", () => {
  const counted = event("progress", 2, { completed: 3 });
  const ended = event("failed", 4, { progress: { completed: 7 } });
  assertStrictEquals(countersEvent(foldAll([event("started", 1), counted, event("failed", 3)])), counted);
  assertStrictEquals(countersEvent(foldAll([counted, ended])), ended);
  assertStrictEquals(countersEvent(foldAll([counted, event("started", 5, { attempt: 2 })])), undefined);
});

Deno.test("a new attempt starts its counters anew, and says so", () => {
  const before = foldAll([event("progress", 1, { total: 4, completed: 3 }), event("failed", 2)]);
  const started = event("started", 3, { attempt: 2 });
  const after = fold(before, started);
  assertEquals(changeOf(before, after, started), { progress: true, status: true });
  const { completed, percentage, attempt } = statusData(after, undefined).progress;
  assertEquals([completed, percentage, attempt], [0, null, 2]);
});

Deno.test("a terminal event that carries counters tells of both", () => {
  const before = foldAll([event("started", 1), event("progress", 2, { total: 2, completed: 1 })]);
  const plain = event("completed", 3);
  assertEquals(changeOf(before, fold(before, plain), plain), { progress: false, status: true });
  const counted = event("completed", 3, { progress: { total: 2, completed: 2 } });
  assertEquals(changeOf(before, fold(before, counted), counted), { progress: true, status: true });
});

Deno.test("progress after progress tells of the counters only", () => {
  const first = event("progress", 1, { completed: 1 });
  const running = fold(undefined, first);
  assertEquals(changeOf(undefined, running, first), { progress: true, status: true });
  const second = event("progress", 2, { completed: 2 });
  assertEquals(changeOf(running, fold(running, second), second), { progress: true, status: false });
});

Deno.test("a start or a reason that comes to light late is told", () => {
  const ended = foldAll([event("progress", 1), event("cancelled", 2)]);
  const started = event("started", 3, { at: "2024-01-01T00:00:00Z" });
  assertEquals(changeOf(ended, fold(ended, started), started).status, true);
  const asked = event("cancel_requested", 4, { reason: "too slow" });
  const reasoned = fold(ended, asked);
  assertEquals(changeOf(ended, reasoned, asked).status, true);
  assertEquals(statusData(reasoned, undefined).reason, "too slow");
});

Deno.test("a created with another total is told even before there are counters", () => {
  const pending = fold(undefined, event("created", 1, { name: "Import" }));
  const sized = event("created", 2, { name: "Import", total: 10, at: "2024-01-01T00:00:01Z" });
  assertEquals(changeOf(pending, fold(pending, sized), sized).status, true);
});
