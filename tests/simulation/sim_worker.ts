import { eventSubject } from "../../src/task/worker_event.ts";
import { sleep } from "../../src/worker/clock.ts";
import type { Outgoing } from "../../src/worker/outgoing.ts";
import type { CancelRequest, Stored, Transport } from "../../src/worker/transport.ts";
import { createWorker, type Worker } from "../../src/worker/worker.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";
import type { Chance } from "./chance.ts";
import type { SimStream } from "./sim_stream.ts";
import type { Life, SimClock, SimTime } from "./sim_time.ts";

const ACK_TIMEOUT_MS = 900;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An event that the log has acknowledged. */
export type Acknowledged = { readonly id: string; readonly epoch: string; readonly seq: number };

/** A worker with the real code, whose acknowledgements may be lost and whose clock may be wrong. It may die. */
export class SimWorker {
  readonly acknowledged: Acknowledged[] = [];
  /** Calls that were rejected for another reason than the world's. */
  readonly faults: unknown[] = [];
  readonly #stream: SimStream;
  readonly #chance: Chance;
  readonly #life: Life;
  readonly #worker: Worker;
  isLinked = true;
  losses = 0;
  #running = 0;

  constructor(name: string, { time, stream, chance }: { time: SimTime; stream: SimStream; chance: Chance }) {
    this.#stream = stream;
    this.#chance = chance.of(name);
    this.#life = time.life(this.#chance.next, this.#chance.whole(-5_000, 5_000));
    let ids = 0;
    this.#worker = createWorker(this.#transport(), {
      clock: this.#life.clock,
      newId: () => `${name}-${++ids}`,
      progressIntervalMs: this.#chance.pick([50, 300, 1_000]),
      onTrouble: () => {},
    });
  }

  /** Works on a task, for a while. */
  work(taskId: string, tags: readonly string[]): void {
    const chance = this.#chance.of(`${taskId}-${this.#running++}`);
    const total = chance.whole(1, 8);
    const failsAt = chance.happens(0.3) ? chance.whole(0, total) : Infinity;
    const { clock } = this.#life;
    const run = this.#worker.run(
      taskId,
      { tags: [...tags], total, attempts: chance.whole(1, 2), attempt: 1, backoff: { firstMs: 200 } },
      async (task) => {
        for (let i = 0; i < total; i++) {
          await sleep(clock, chance.whole(1, 900), task.signal);
          if (i === failsAt) throw new Error("it does not work");
          task.progress({ completed: i + 1, current: `step ${i + 1}` });
        }
      },
    );
    run.catch((error: unknown) => {
      const isOurs = error instanceof WorkerError && error.code === "invalid";
      if (isOurs) this.faults.push(error);
    });
  }

  /** It is gone, and nobody says how its tasks end. */
  die(): void {
    this.#life.isOver = true;
  }

  get isAlive(): boolean {
    return !this.#life.isOver;
  }

  #transport(): Transport {
    return {
      batch: { events: 1, bytes: Infinity },
      send: async (events, signal) => {
        const stored: Stored[] = [];
        for (const event of events) stored.push(await this.#publish(event, signal));
        return stored;
      },
      watchCancels: (taskId, requested) => this.#watch(taskId, requested),
      onReachable: () => {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  async #publish(event: Outgoing, signal: AbortSignal): Promise<Stored> {
    const { clock } = this.#life;
    await sleep(clock, this.#chance.whole(0, 8), signal);
    if (!this.isLinked || !this.#stream.isUp) return await this.#lost(clock, signal);
    const { id, taskId, kind, json } = event;
    const stored = this.#stream.publish({
      id,
      subject: eventSubject(taskId, kind),
      body: encoder.encode(json),
    });
    const { epoch } = this.#stream;
    await sleep(clock, this.#chance.whole(0, 8), signal);
    if (this.#chance.happens(this.losses)) return await this.#lost(clock, signal);
    this.acknowledged.push({ id, epoch, seq: stored.seq });
    return stored;
  }

  async #lost(clock: SimClock, signal: AbortSignal): Promise<never> {
    await sleep(clock, ACK_TIMEOUT_MS, signal);
    throw new WorkerError("unreachable", "no acknowledgement");
  }

  #watch(taskId: string, requested: (request: CancelRequest) => void): () => void {
    let after = 0;
    const look = (): void => {
      for (const { seq, subject, body } of this.#stream.entries) {
        if (seq <= after || subject !== `task.${taskId}.cancel_requested`) continue;
        after = seq;
        const { attempt = 1, reason } = JSON.parse(decoder.decode(body));
        this.#life.clock.after(2, () => requested({ attempt, ...(reason === undefined ? {} : { reason }) }));
      }
    };
    look();
    return this.#stream.onChange(look);
  }
}
