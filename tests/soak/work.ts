import { sleep, systemClock } from "../../src/worker/clock.ts";
import type { About, TaskReporter } from "../../src/worker/task_reporter.ts";
import type { Worker } from "../../src/worker/worker.ts";
import type { Chance } from "../simulation/chance.ts";

/** Between two items of a task, ms. */
const ITEM_MS = [100, 800] as const;
/** How long a task goes on that waits for somebody to cancel it, ms. */
const PATIENCE_MS = 10_000;

/** A task to be worked on. */
export type Job = {
  readonly worker: Worker;
  readonly id: string;
  readonly about: About & { readonly total: number };
  readonly chance: Chance;
  /** Called when it waits to be cancelled. */
  readonly isCancellable: () => void;
};

/** How tasks go: each does one, to its end or not. */
export const WAYS: Readonly<Record<string, (job: Job) => Promise<unknown>>> = {
  done: (job) => job.worker.run(job.id, job.about, (task) => all(task, job)),
  failed: (job) => job.worker.run(job.id, job.about, (task) => half(task, job)),
  retried: (job) =>
    job.worker.run(job.id, { ...job.about, attempts: 2, backoff: { firstMs: 200 } }, async (task) => {
      await (task.attempt === 1 ? half(task, job) : all(task, job));
    }),
  paused: (job) =>
    job.worker.run(job.id, job.about, async (task) => {
      await item(task, job, 1);
      await task.paused();
      await sleep(systemClock, job.chance.whole(...ITEM_MS), task.signal);
      await task.resumed();
      return await all(task, job);
    }),
  cancelled: (job) =>
    job.worker.run(job.id, job.about, async (task) => {
      job.isCancellable();
      await sleep(systemClock, PATIENCE_MS, task.signal);
    }),
  /** Nobody says how it ends. */
  left: async ({ worker, id, about }) => {
    const task = worker.task(id);
    await task.created(about);
    await task.started();
    task.progress({ completed: 1 });
    await task.flush();
  },
};

/** The names of {@link WAYS}, as often as they are taken. */
export const TAKEN: readonly string[] = [
  ...["done", "done", "done", "done"],
  ...Object.keys(WAYS).filter((way) => way !== "done"),
];

async function item(task: TaskReporter, { chance }: Job, completed: number): Promise<void> {
  await sleep(systemClock, chance.whole(...ITEM_MS), task.signal);
  task.progress({ completed, current: `item ${completed}` });
}

async function all(task: TaskReporter, job: Job): Promise<{ readonly items: number }> {
  const { total } = job.about;
  for (let completed = 1; completed <= total; completed++) await item(task, job, completed);
  return { items: total };
}

async function half(task: TaskReporter, job: Job): Promise<void> {
  await item(task, job, 1);
  throw new Error("it does not work");
}
