import { openSource, settingsOf } from "../../src/cli/archive_log.ts";
import type { ReadableLog } from "../../src/log/sqlite_beside.ts";
import { changeOf, fold, type TaskState } from "../../src/task/fold.ts";
import { isTerminal, progressData, statusOf } from "../../src/task/task.ts";
import { parseRecord } from "../../src/task/worker_event.ts";

const PAGE = 1_000;
/** So many tasks are remembered, the youngest: far more than the log keeps. */
const MAX_TASKS = 50_000;

/** How a task is, as far as it is compared. */
export type Standing = { readonly status: string; readonly completed: number };

/** What the log says, read and folded beside the gateway, without anything of it. */
export class Truth implements AsyncDisposable {
  readonly #log: ReadableLog;
  readonly #states = new Map<string, TaskState>();
  /** The positions of the changes of status after {@link Truth.from}, in order. */
  statusSeqs: number[] = [];
  /** Changes for who remembers the task, and perhaps not for who does not, or the other way round: as above. */
  readonly unsure = new Set<number>();
  readonly #keptMs: number;
  /** When a task was last heard of, ms since the epoch, by the log's clock. */
  readonly #heard = new Map<string, number>();
  #from = 0;
  #head = 0;
  #reading: Promise<void> = Promise.resolve();

  private constructor(log: ReadableLog, keptMs: number) {
    this.#log = log;
    this.#keptMs = keptMs;
  }

  /** Opens the log that a gateway of these settings is on, which keeps each event for `keptMs` at least. */
  static async open(
    settings: Readonly<Record<string, string>>,
    keptMs: number,
    signal: AbortSignal,
  ): Promise<Truth> {
    return new Truth(await openSource(settingsOf(settings), signal), keptMs);
  }

  /** Every event after this position was read: retention came before us here, where we had not read for so long. */
  get from(): number {
    return this.#from;
  }

  /** Everything up to here is folded in. */
  get head(): number {
    return this.#head;
  }

  /** Reads on to the end of the log as it is about now. Rejects while that is out of reach. */
  async readOn(): Promise<void> {
    const reading = this.#reading.catch(() => {}).then(() => this.#readOn());
    this.#reading = reading;
    await reading;
  }

  /** How the tasks stand that the log took in since `sinceMs` (ms since the epoch), with their tags. */
  *since(sinceMs: number): Generator<{ id: string; tags: readonly string[]; isOver: boolean } & Standing> {
    for (const state of this.#states.values()) {
      const { created } = state.greatest;
      if (created === undefined || created.time < sinceMs) continue;
      const status = statusOf(state);
      const { completed } = progressData(state, undefined);
      yield { id: state.id, tags: created.body.tags ?? [], isOver: isTerminal(status), status, completed };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const { entries, through } = await this.#log.read({ after: this.#head, limit: PAGE });
      const first = entries[0]?.seq ?? 0;
      if (first > this.#head + 1) {
        this.#from = first - 1;
        this.statusSeqs = [];
      }
      for (const entry of entries) {
        const parsed = parseRecord(entry);
        if ("rejected" in parsed) continue;
        const { event } = parsed;
        const before = this.#states.get(event.taskId);
        const isForgotten = event.time - (this.#heard.get(event.taskId) ?? event.time) > this.#keptMs;
        // Once nobody can say what is known of a task, nobody can say what changes it.
        this.#heard.set(event.taskId, isForgotten ? -Infinity : event.time);
        if (isForgotten) this.unsure.add(event.seq);
        const state = fold(before, event);
        if (state === before) continue;
        this.#states.set(event.taskId, state);
        if (changeOf(before, state, event).status) this.statusSeqs.push(event.seq);
      }
      for (const id of this.#states.keys()) {
        if (this.#states.size <= MAX_TASKS) break;
        this.#states.delete(id);
        this.#heard.delete(id);
      }
      this.#head = Math.max(this.#head, through);
      if (entries.length < PAGE) return;
    }
  }
}
