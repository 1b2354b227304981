import fc from "fast-check";
import type { Entry } from "../../src/log/event_log.ts";
import { type Delivery, deliveryOf } from "../../src/projection/delivery.ts";
import { changeOf, fold, type TaskState } from "../../src/task/fold.ts";
import { type Kind, parseRecord, type TaskEvent } from "../../src/task/worker_event.ts";

const START_MS = Date.UTC(2024, 0, 1);

const encoder = new TextEncoder();

/** A record of the log; bytes are taken as they are, anything else as JSON. */
export function record(seq: number, taskId: string, kind: string, body: unknown = {}): Entry {
  const bytes = body instanceof Uint8Array ? body : encoder.encode(JSON.stringify(body));
  return { seq, time: START_MS + seq * 1000, subject: `task.${taskId}.${kind}`, body: bytes };
}

/** The event that a record is; throws where it is none. */
export function eventOf(entry: Entry): TaskEvent {
  const parsed = parseRecord(entry);
  if ("rejected" in parsed) throw new TypeError(parsed.rejected);
  return parsed.event;
}

/** What records of valid events have to tell, by a straightforward fold of all of them. */
export function toldBy(entries: readonly Entry[]): Delivery[] {
  const states = new Map<string, TaskState>();
  return entries.flatMap((entry) => {
    const event = eventOf(entry);
    const before = states.get(event.taskId);
    const after = fold(before, event);
    states.set(event.taskId, after);
    return deliveryOf(event, { before, state: after }, changeOf(before, after, event), undefined) ?? [];
  });
}

/** A delivery as one line: what was told of which task, without what only a pace says. */
export function lineOf({ seq, taskId, tags, progress, status }: Delivery): string {
  const counters = progress?.frame.type === "task_progress" ? progress.frame.data.progress : undefined;
  const told = [
    counters === undefined
      ? ""
      : ` progress ${counters.completed}/${counters.total} of attempt ${counters.attempt}`,
    status === undefined
      ? ""
      : ` ${status.frame.data.status}${status.frame.data.liveness === "stale" ? " stale" : ""}`,
  ].join("");
  return `${seq} ${taskId} [${tags.join()}]${told}`;
}

const attempt = fc.constantFrom(1, 1, 1, 2, 3);
const bodies: Readonly<Record<Kind, fc.Arbitrary<object>>> = {
  created: fc.record({
    tags: fc.subarray(["a", "b"]),
    parent_id: fc.constantFrom("p", "q"),
    type: fc.constantFrom("x", "y"),
  }, { requiredKeys: [] }),
  started: fc.record({ attempt }),
  progress: fc.record({ attempt, completed: fc.nat(9), total: fc.constantFrom(10, null) }),
  paused: fc.record({ attempt }),
  resumed: fc.record({ attempt }),
  cancel_requested: fc.record({ attempt }),
  retrying: fc.record({ attempt }),
  completed: fc.record({ attempt }),
  failed: fc.record({ attempt }),
  cancelled: fc.record({ attempt }),
  stale: fc.record({ attempt, through: fc.nat(60) }, { requiredKeys: [] }),
};

/** What a worker may say of a task, legal or not. */
export const arbitrarySaid: fc.Arbitrary<{ readonly kind: Kind; readonly body: object }> = fc
  .oneof(
    { weight: 4, arbitrary: fc.constant<Kind>("progress") },
    { weight: 3, arbitrary: fc.constant<Kind>("created") },
    {
      weight: 8,
      arbitrary: fc.constantFrom<Kind>(
        "started",
        "paused",
        "resumed",
        "retrying",
        "cancel_requested",
        "completed",
        "failed",
        "cancelled",
        "stale",
      ),
    },
  )
  .chain((kind) => bodies[kind].map((body) => ({ kind, body })));

/** A log of valid events of a few tasks, in any order of kinds. */
export function arbitraryLog(tasks: readonly string[], maxLength = 40): fc.Arbitrary<readonly Entry[]> {
  return fc.array(fc.tuple(fc.constantFrom(...tasks), arbitrarySaid), { maxLength, size: "max" })
    .map((said) => said.map(([id, { kind, body }], i) => record(i + 1, id, kind, body)));
}
