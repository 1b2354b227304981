import type { Chance } from "../simulation/chance.ts";
import { sleep, systemClock } from "../../src/worker/clock.ts";
import type { Worker } from "../../src/worker/worker.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";
import { TAKEN, WAYS } from "./work.ts";

/** The tags that tasks may have: each task has one or two. */
export const TAGS: readonly string[] = Array.from({ length: 12 }, (_, i) => `team-${i}`);

/** The tags of a task. */
export function tagsOf(chance: Chance): readonly string[] {
  return [...new Set([chance.pick(TAGS), chance.pick(TAGS)])];
}

const WORKERS = 4;
/** How long a worker is there before another takes its place, ms. */
const STAYS_MS = [5_000, 40_000] as const;
/** So many tasks that wait for a cancel are kept in mind. */
const MAX_CANCELLABLE = 50;

/** How much work there is, and who does it. */
export type StaffOptions = {
  readonly connect: () => Promise<Worker>;
  readonly chance: Chance;
  readonly tasksPerSecond: number;
  /** The number of the first task: no two have the same. */
  readonly firstTask: number;
};

/** Workers of the SDK that come and go, and tasks that are begun, go on, and end in every way, or lie. */
export class Staff implements AsyncDisposable {
  readonly #options: StaffOptions;
  readonly #chance: Chance;
  readonly #stop = new AbortController();
  readonly #places: Promise<void>[];
  readonly #workers: Worker[] = [];
  readonly #begun: Promise<void>;
  /** Tasks that go on until somebody asks them to stop. */
  readonly cancellable: string[] = [];
  /** Failures that are nobody's but the SDK's. */
  readonly faults: unknown[] = [];
  /** The number of the next task. */
  tasks: number;

  constructor(options: StaffOptions) {
    this.#options = options;
    this.#chance = options.chance.of("staff");
    this.tasks = options.firstTask;
    this.#places = Array.from({ length: WORKERS }, (_, i) => this.#fill(this.#chance.of(`place ${i}`)));
    this.#begun = this.#begin();
  }

  /** Begins nothing more, and ends what is under way; resolves when all that was said is in the log, or never will be. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#begun;
    await Promise.all(this.#places);
  }

  /** One worker after the other. */
  async #fill(chance: Chance): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const worker = await this.#options.connect().catch(() => undefined); // out of reach: once more
      if (worker !== undefined) {
        this.#workers.push(worker);
        await this.#pause(chance.whole(...STAYS_MS));
        this.#workers.splice(this.#workers.indexOf(worker), 1);
        await worker.close();
      } else {
        await this.#pause(500);
      }
    }
  }

  async #begin(): Promise<void> {
    const { firstTask, tasksPerSecond } = this.#options;
    const startMs = performance.now();
    while (!this.#stop.signal.aborted) {
      await this.#pause(startMs + (this.tasks - firstTask) * 1_000 / tasksPerSecond - performance.now());
      const worker = this.#workers[this.tasks % Math.max(1, this.#workers.length)];
      const id = `task-${this.tasks++}`;
      if (worker !== undefined) this.#work(worker, id, this.#chance.of(id));
    }
  }

  #work(worker: Worker, id: string, chance: Chance): void {
    const about = { name: `Task ${id}`, type: "soak", tags: tagsOf(chance), total: chance.whole(2, 6) };
    const isCancellable = () => {
      this.cancellable.push(id);
      if (this.cancellable.length > MAX_CANCELLABLE) this.cancellable.shift();
    };
    WAYS[chance.pick(TAKEN)]?.({ worker, id, about, chance, isCancellable }).catch((error: unknown) => {
      const isOurs = error instanceof WorkerError && error.code === "invalid";
      if (isOurs || error instanceof TypeError) this.faults.push(error);
    });
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(systemClock, ms, this.#stop.signal).catch(() => {}); // it is over
  }
}
