import fc from "fast-check";
import {
  type EventRecord,
  type Kind,
  KINDS,
  parseRecord,
  type TaskEvent,
} from "../../src/task/worker_event.ts";
import { fold, type TaskState } from "../../src/task/fold.ts";

const START_MS = Date.UTC(2024, 0, 1);

const encoder = new TextEncoder();

/** One stored record of a task. */
export function record(subject: string, body: unknown, seq = 1, time = START_MS + seq * 1000): EventRecord {
  const bytes = body instanceof Uint8Array ? body : encoder.encode(JSON.stringify(body));
  return { seq, time, subject, body: bytes };
}

/** The event of task `t` that a worker's body of one kind makes; throws where it is rejected. */
export function event(kind: Kind, seq: number, body: object = {}, time = START_MS + seq * 1000): TaskEvent {
  const parsed = parseRecord(record(`task.t.${kind}`, body, seq, time));
  if ("rejected" in parsed) throw new TypeError(parsed.rejected);
  return parsed.event;
}

/** The task that events make in the order given. */
export function foldAll(events: readonly TaskEvent[]): TaskState {
  const [first, ...rest] = events;
  if (first === undefined) throw new RangeError("A task has at least one event");
  return rest.reduce((state, next) => fold(state, next), fold(undefined, first));
}

const count = fc.oneof(fc.nat(20), fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }));
const text = fc.oneof(fc.constantFrom("a", "b"), fc.string({ maxLength: 8 }));
const at = fc.oneof(fc.integer({ min: 0, max: START_MS }), fc.constantFrom("2024-01-01T00:00:00Z"));
const counters = {
  total: fc.option(count),
  completed: count,
  failed: count,
  current: fc.option(text),
  status: fc.option(text),
  percentage: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
};
const attempt = fc.integer({ min: 1, max: 3 });
const progress = fc.record(counters, { requiredKeys: [] });
const error = fc.oneof(text, fc.record({ message: text }), fc.record({ message: text, code: text }));

/** Bodies as workers write them, any member absent. */
const MEMBERS: Readonly<Record<Kind, Record<string, fc.Arbitrary<unknown>>>> = {
  created: {
    name: text,
    type: fc.constantFrom("import", "export"),
    tags: fc.subarray(["a", "b", "c"]),
    parent_id: fc.constantFrom("p", null),
    total: fc.option(count),
    at,
  },
  started: { attempt, at },
  progress: { attempt, ...counters, at },
  paused: { attempt, at },
  resumed: { attempt, at },
  cancel_requested: { attempt, reason: fc.option(text), at },
  retrying: { attempt, error, at },
  completed: { attempt, result: fc.jsonValue({ maxDepth: 2 }), progress, at },
  failed: { attempt, error, progress, at },
  cancelled: { attempt, reason: fc.option(text), progress, at },
  stale: { attempt, through: fc.nat(120), at },
};

const kindAndBody = fc.constantFrom(...KINDS).chain((kind) =>
  fc.record(MEMBERS[kind], { requiredKeys: [] }).map((body) => ({ kind, body }))
);

/**
 * Any history of one task in the order of the stream, illegal ones included: any kinds in any order, attempts 1–3,
 * gaps between positions, stragglers.
 */
export const arbitraryHistory: fc.Arbitrary<readonly TaskEvent[]> = fc
  .array(fc.tuple(kindAndBody, fc.integer({ min: 1, max: 5 })), { minLength: 1, maxLength: 24 })
  .map((steps) => {
    let seq = 0;
    return steps.map(([{ kind, body }, gap]) => event(kind, seq += gap, body));
  });

/** Any history with a way in which it may arrive: every event at least once, in any order, some several times. */
export const arbitraryDelivery: fc.Arbitrary<
  { readonly history: readonly TaskEvent[]; readonly delivered: readonly TaskEvent[] }
> = arbitraryHistory.chain((history) =>
  fc.array(fc.nat(history.length - 1), { maxLength: 8 })
    .map((again) => [...history, ...again.flatMap((i) => history.slice(i, i + 1))])
    .chain((all) => fc.shuffledSubarray(all, { minLength: all.length }))
    .map((delivered) => ({ history, delivered }))
);

/**
 * The stragglers of a history in the order of the stream: events whose attempt is lower than that of an earlier
 * event of the same kind.
 */
export function stragglersOf(history: readonly TaskEvent[]): ReadonlySet<TaskEvent> {
  const reached = new Map<Kind, number>();
  const stragglers = new Set<TaskEvent>();
  for (const one of history) {
    const highest = reached.get(one.kind) ?? 0;
    if (one.attempt < highest) stragglers.add(one);
    else reached.set(one.kind, one.attempt);
  }
  return stragglers;
}

/** What the log still has when only the last event of each subject is kept. */
export function lastOfEachKind(history: readonly TaskEvent[]): readonly TaskEvent[] {
  return [...new Map(history.map((one) => [one.kind, one])).values()];
}
