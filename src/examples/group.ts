import { type Publisher, taskLog, type TaskReporter, type Worker } from "../worker/task_reporter.ts";

/** What works on the parts, what on the group itself, and what carries the lines of their logs. */
export type Crew = { readonly worker: Worker; readonly parent: Worker; readonly publisher: Publisher };

/** Under which id, and how long it takes in all, ms. */
export type GroupOptions = { readonly id: string; readonly lengthMs: number; readonly signal?: AbortSignal };

/** How long it is to be watched, ms. */
export const MINUTE = 60_000;

/** A part of the group, or of a part of it; it takes `begin` to `end` of the whole time. */
type Part = {
  readonly id: string;
  readonly name: string;
  readonly total: number;
  readonly begin: number;
  readonly end: number;
  readonly parts?: readonly Part[];
  /** Says what is done with an item, and how loud; undefined: nothing. */
  readonly line?: (item: number) => readonly [text: string, level?: "debug" | "warn"] | undefined;
  /** Fails once at this item, and begins anew. */
  readonly breaksAt?: number;
};

const PARTS: readonly Part[] = [
  {
    id: "compile",
    name: "Compile",
    total: 400,
    begin: 0,
    end: 0.5,
    line: (item) =>
      item % 97 === 0
        ? [`module_${item}.ts: "old" is deprecated, use "new"`, "warn"]
        : item % 5 === 0
        ? [`compiled src/module_${item}.ts`, "debug"]
        : undefined,
  },
  {
    id: "tests",
    name: "Test",
    total: 0,
    begin: 0,
    end: 1,
    parts: [
      {
        id: "unit",
        name: "Unit tests",
        total: 900,
        begin: 0.1,
        end: 0.8,
        line: (item) => item % 10 === 0 ? [`ok ${item}: every case of module_${item / 10}`] : undefined,
      },
      {
        id: "browser",
        name: "Browser tests",
        total: 60,
        begin: 0.3,
        end: 1,
        line: (item) => [`page ${item}: loaded, 0 complaints`],
        breaksAt: 20,
      },
    ],
  },
  {
    id: "docs",
    name: "Write the manual",
    total: 40,
    begin: 0.05,
    end: 0.4,
    line: (item) => [`chapter ${item} → ${item}.html`],
  },
  {
    id: "pack",
    name: "Pack and sign",
    total: 12,
    begin: 0.6,
    end: 0.9,
    line: (item) => [`taskwire-${item}.tar.gz\n  sha256 ${(item * 2_654_435_761 >>> 0).toString(16)}…`],
  },
];

const STEP_MS = 50;
const ATTEMPTS = { attempts: 2, backoff: { firstMs: 500 } };

/**
 * A task with parts of different weights, one of which has parts itself. All write logs; one fails, and is tried again. The plug-in
 * `group_progress` moves the bars of those that have parts. Resolves with how many parts there were.
 */
export async function group(crew: Crew, options: GroupOptions): Promise<{ readonly parts: number }> {
  const { id } = options;
  const startMs = performance.now();
  return await crew.parent.run(
    id,
    { name: "Release 2.0", type: "release", tags: ["release"] },
    async (task) => {
      const log = taskLog(crew.publisher, id);
      await log(`release 2.0 with ${PARTS.length} parts`);
      const parts = await Promise.all(PARTS.map((part) => work(crew, part, id, { ...options, startMs })));
      await log("released");
      task.progress({ completed: PARTS.length, total: PARTS.length });
      await crew.publisher.flush();
      return { parts: parts.reduce((sum, count) => sum + count, 0) };
    },
  );
}

type Timing = GroupOptions & { readonly startMs: number };

/** Works on a part, and those below it; resolves with how many that were. */
async function work(crew: Crew, part: Part, parent: string, timing: Timing): Promise<number> {
  const { name, total, parts = [] } = part;
  const { signal } = timing;
  const id = `${timing.id}-${part.id}`;
  const about = { name, parent_id: parent, tags: ["release"], ...(signal === undefined ? {} : { signal }) };
  if (parts.length === 0) {
    await crew.worker.run(id, { ...about, ...ATTEMPTS, total }, (task) => items(crew, part, task, timing));
    return 1;
  }
  return await crew.parent.run(id, about, async (task) => {
    const below = await Promise.all(parts.map((one) => work(crew, one, id, timing)));
    task.progress({ completed: parts.length, total: parts.length });
    return below.reduce((sum, count) => sum + count, 1);
  });
}

/** Does what there is to do by the clock, so that the machine's speed changes nothing. */
async function items(
  { publisher }: Crew,
  { total, begin, end, line, breaksAt }: Part,
  task: TaskReporter,
  { startMs, lengthMs }: Timing,
): Promise<void> {
  const log = taskLog(publisher, task.id);
  for (let done = 0; done < total;) {
    task.signal.throwIfAborted();
    const share = ((performance.now() - startMs) / lengthMs - begin) / (end - begin);
    const due = Math.min(Math.floor(Math.max(share, 0) * total), total);
    for (; done < due; done++) {
      const said = line?.(done + 1);
      if (said !== undefined) await log(...said);
      if (done + 1 === breaksAt && task.attempt === 1) {
        await log(`page ${done + 1}: the browser is gone\n  at browser_test.ts:${done + 1}`, "error");
        throw new Error("the browser is gone");
      }
    }
    task.progress({ completed: done, total });
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
