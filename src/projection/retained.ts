import { type EventLog, type Extent, LogError } from "../log/event_log.ts";
import type { AsOf } from "../protocol/server_frames.ts";
import type { TaskState } from "../task/fold.ts";
import { eventSubject, namesIn } from "../task/worker_event.ts";
import type { Projection } from "./projection.ts";

/** A position in one life of the stream. */
export type Place = Pick<AsOf, "epoch" | "seq">;

/** Records of one subject are counted up to here; beyond, retention is taken to have had some. */
const MAX_COUNTED = 10_000;
const COUNTED_AT_ONCE = 500;
const COUNTED_BYTES = 1_048_576;

/** Knows whether retention may have taken what an answer about the past needs. It may say yes where nothing is missing. */
export class Retained {
  readonly #log: EventLog;
  readonly #projection: Projection;
  readonly #perSubject: number;

  /** `perSubject`: how many records of one subject the log keeps. */
  constructor(log: EventLog, projection: Projection, perSubject: number) {
    this.#log = log;
    this.#projection = projection;
    this.#perSubject = perSubject;
  }

  /** The log's extent now; rejects where it is not any more the log of `place`. */
  async extent({ epoch }: Place): Promise<Extent> {
    const extent = await this.#log.extent();
    if (extent.epoch !== epoch) throw new LogError("unreachable", "The log was made again while it was read");
    return extent;
  }

  /**
   * Whether events of a task, which was `state` at `place` by what the log had a moment ago, may be missing up to there.
   */
  async mayLack(taskId: string, state: TaskState | undefined, place: Place): Promise<boolean> {
    const { firstSeq, lastSeq } = await this.extent(place);
    if (firstSeq > 1 && !await this.#hasBeginning(taskId)) return true;
    return await this.mayBeCapped(taskId, state, { at: place.seq, lastSeq });
  }

  /**
   * Whether events of it may be missing because there came too many of their kind since: then none of the kind is left up to
   * `at`, and as many later ones as are kept. `lastSeq` is the log's end after `state` was read.
   */
  async mayBeCapped(
    taskId: string,
    state: TaskState | undefined,
    { at, lastSeq }: { readonly at: number; readonly lastSeq: number },
  ): Promise<boolean> {
    const { head, whereabouts, tasks } = this.#projection;
    const cap = Math.min(this.#perSubject, MAX_COUNTED);
    if (lastSeq - at < cap) return false;
    const noted = whereabouts.of(taskId, at);
    if (noted !== undefined && noted.length + Math.max(0, lastSeq - head) < cap) return false;
    const now = tasks.get(taskId)?.state ?? (await this.#projection.stateFromLog(taskId))?.state;
    for (const { kind } of Object.values(now?.greatest ?? {})) {
      if (state?.greatest[kind] !== undefined) continue;
      if (await this.#holds(eventSubject(taskId, kind), at, cap)) return true;
    }
    return false;
  }

  /** Whether nothing of a task is from before what the log has: its first event is its `created`. */
  async #hasBeginning(taskId: string): Promise<boolean> {
    const { entries: [first] } = await this.#projection.readTask(taskId, { after: 0, limit: 1 });
    return first === undefined || namesIn(first.subject)?.kind === "created";
  }

  /** Whether there are `count` records of `subject` after `after`. */
  async #holds(subject: string, after: number, count: number): Promise<boolean> {
    for (let left = count; left > 0;) {
      const limit = Math.min(left, COUNTED_AT_ONCE);
      const { entries, through } = await this.#log.read({ subject, after, limit, maxBytes: COUNTED_BYTES });
      if (entries.length === 0) return false;
      left -= entries.length;
      after = through;
    }
    return true;
  }
}
