import fc from "fast-check";
import { KINDS } from "../../src/task/worker_event.ts";
import { TASK_IDS } from "./frames.ts";
import { mutated } from "./json_mutation.ts";

const counters = fc.record({
  total: fc.oneof(fc.nat(), fc.constant(null)),
  completed: fc.nat(),
  failed: fc.nat(),
  current: fc.constantFrom("row 7", "处理", null),
  status: fc.constantFrom("Downloading", null),
  percentage: fc.double({ noNaN: true, noDefaultInfinity: true }),
}, { requiredKeys: [] });
const attempt = fc.constantFrom(1, 1, 2, 3, 1_000_000);
const at = fc.constantFrom("2024-01-01T00:00:00Z", 1_704_067_200_000, 0, "9999-12-31T23:59:59Z");
const error = fc.constantFrom("disk full", { message: "reset", code: "ECONNRESET" }, null);

/** Bodies of every kind, as documented. */
const BODIES: Readonly<Record<string, fc.Arbitrary<object>>> = {
  created: fc.record({
    name: fc.constantFrom("Import", null),
    type: fc.constantFrom("import", "toString", null),
    tags: fc.subarray(["eu", "nightly", "ü", "a.b/c=d", "__proto__"]),
    parent_id: fc.constantFrom(...TASK_IDS, null),
    total: fc.nat(),
    at,
  }, { requiredKeys: [] }),
  progress: fc.tuple(counters, attempt, at).map(([counters, attempt, at]) => ({ ...counters, attempt, at })),
  started: fc.record({ attempt, at }, { requiredKeys: [] }),
  paused: fc.record({ attempt }, { requiredKeys: [] }),
  resumed: fc.record({ attempt }, { requiredKeys: [] }),
  cancel_requested: fc.record({ attempt, reason: fc.constantFrom("too slow", null) }, { requiredKeys: [] }),
  retrying: fc.record({ attempt, error }, { requiredKeys: [] }),
  completed: fc.record({ attempt, result: fc.jsonValue({ maxDepth: 3 }), progress: counters }, {
    requiredKeys: [],
  }),
  failed: fc.record({ attempt, error, progress: counters }, { requiredKeys: [] }),
  cancelled: fc.record({ attempt, reason: fc.constantFrom("stopped", null) }, { requiredKeys: [] }),
};

/** Whether a task is one of one attempt only: what is known of it does not depend on who has read how much of the log. */
export function isSteady(task: string): boolean {
  return /^(job1|none|constructor)\b/.test(task);
}

/** `text` as it may be said of a task. */
export function saidOf(task: string, text: string): string {
  return isSteady(task) ? text.replaceAll(/("(?:\\u0000)?attempt"\s*:\s*)[^,}\]]+/g, "$11") : text;
}

/** A worker's event, or a value of a channel, as it is published: a subject after the prefix, and a body. */
export type Published = { readonly subject: string; readonly body: string };

const kind = fc.constantFrom(...KINDS);

const subject = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...TASK_IDS), kind).map(([id, kind]) => `${id}.${kind}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "job1",
      "job1.v2.progress",
      "job1.exploded",
      "日本.progress",
      "a:b.progress",
      "x".repeat(200) + ".started",
    ),
  },
);

const told: fc.Arbitrary<Published> = fc.oneof(
  {
    weight: 6,
    arbitrary: kind.chain((kind) =>
      fc.record({
        subject: fc.constantFrom(...TASK_IDS).map((id) => `${id}.${kind}`),
        body: mutated(BODIES[kind] ?? fc.constant({})),
      })
    ),
  },
  { weight: 2, arbitrary: fc.record({ subject, body: mutated(fc.oneof(...Object.values(BODIES))) }) },
  { weight: 1, arbitrary: fc.record({ subject, body: fc.string({ unit: "binary", maxLength: 100 }) }) },
).map(({ subject, body }) => ({ subject: `task.${subject}`, body: saidOf(subject, body) }));

const value: fc.Arbitrary<Published> = fc.record({
  subject: fc.constantFrom(
    "data.x",
    "data.x.BTC",
    "strategy.y.%E5%A4%84",
    "data.%",
    "data.x.y.z",
    "data.~nothing.x",
    "data.~task.nothing.job1",
    "data.~task.progress.job1",
    "data.~",
  ),
  body: fc.oneof(
    mutated(fc.constant({ close: 42_150.5, at: ["2024-01-01T00:00:00Z"] })),
    fc.string({ unit: "binary", maxLength: 100 }),
  ),
});

/** Events and values straight onto NATS: subjects that there may be, and bodies as documented or changed. */
export const published: fc.Arbitrary<readonly Published[]> = fc.array(
  fc.oneof({ weight: 8, arbitrary: told }, { weight: 1, arbitrary: value }),
  { minLength: 1, maxLength: 10 },
);

const event = kind.chain((kind) =>
  fc.tuple(BODIES[kind] ?? fc.constant({}), fc.option(fc.stringMatching(/^[!-~]{1,20}$/), { nil: undefined }))
    .map((
      [body, event_id],
    ) => ({ kind, ...body, ...(event_id === undefined ? {} : { event_id }) }))
);

/** The text of a request's body that appends: one event, or several. */
export const appended: fc.Arbitrary<string> = mutated(fc.oneof(event, fc.array(event, { maxLength: 5 })));
