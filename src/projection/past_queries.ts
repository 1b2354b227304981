import { type EventLog, LogError } from "../log/event_log.ts";
import { positionAt } from "../log/position_at.ts";
import type { At, TaskQuery } from "../protocol/client_frames.ts";
import type { AsOf, ErrorBody, Refused, TaskPage, TaskStatusData } from "../protocol/server_frames.ts";
import { statusData } from "../task/task.ts";
import { FillingPage } from "./filling_page.ts";
import { PastLists } from "./past_lists.ts";
import type { Projection } from "./projection.ts";
import { type Place, Retained } from "./retained.ts";
import type { TaskFilter } from "./task_table.ts";

/** What questions about the past need to know. */
export type PastOptions = {
  /** How many records of one subject the log keeps. */
  readonly retainPerSubject: number;
  readonly now: () => number;
};

/** Tasks of a page read of the log together. */
const READ_AT_ONCE = 128;
/** Who finds too many before him is to come back after this, ms. */
const BUSY_MS = 1_000;

/**
 * What can be asked about how tasks were: by the events up to a position, as the log still has them. An answer that may be
 * other than it was says so. Rejects with a LogError.
 */
export class PastQueries {
  readonly #log: EventLog;
  readonly #projection: Projection;
  readonly #retained: Retained;
  readonly #lists: PastLists;

  constructor(log: EventLog, projection: Projection, { retainPerSubject, now }: PastOptions) {
    this.#log = log;
    this.#projection = projection;
    this.#retained = new Retained(log, projection, retainPerSubject);
    this.#lists = new PastLists(projection, this.#retained, now);
  }

  /** A task as it was; undefined where it had no event yet, or has none at all. */
  async task(
    taskId: string,
    at: At,
  ): Promise<(TaskStatusData & { readonly at: AsOf }) | Refused | undefined> {
    const place = await this.#placeOf(at);
    if ("refused" in place) return place;
    const past = await this.#projection.stateAt(taskId, place.seq);
    const truncated = await this.#retained.mayLack(taskId, past?.state, place);
    if (past !== undefined) return { ...statusData(past.state, undefined), at: { ...place, truncated } };
    if (!truncated) return undefined;
    const message = `what task ${taskId} was at position ${place.seq} may have been retained no longer`;
    return gone(message, { task_id: taskId });
  }

  /** A page of the tasks that fitted, the newest first: by the oldest event that each was made of. */
  async list(query: TaskQuery & TaskFilter, at: At): Promise<(TaskPage & { readonly at: AsOf }) | Refused> {
    const place = await this.#placeOf(at, this.#projection.head);
    if ("refused" in place) return place;
    const listed = await this.#lists.of(place, query);
    if (listed === undefined) return { refused: BUSY };
    const start = (query.page - 1) * query.limit;
    const page = new FillingPage(query);
    const isWhole = await this.#fill(page, listed.ids.slice(start, start + query.limit), place);
    const { firstSeq } = await this.#retained.extent(place);
    const truncated = listed.truncated || !isWhole || firstSeq > 1;
    return { ...page.done(listed.ids.length), at: { ...place, truncated } };
  }

  /** Puts these tasks in, as many as fit; whether nothing is missing of any. */
  async #fill(page: FillingPage, ids: readonly string[], place: Place): Promise<boolean> {
    let isWhole = true;
    for (let start = 0; start < ids.length; start += READ_AT_ONCE) {
      const some = ids.slice(start, start + READ_AT_ONCE);
      const states = await this.#lists.statesAt(some, place.seq);
      const { lastSeq } = await this.#retained.extent(place);
      for (const id of some) {
        const state = states.get(id);
        isWhole &&= state !== undefined &&
          !await this.#retained.mayBeCapped(id, state, { at: place.seq, lastSeq });
        if (state !== undefined && !page.add(statusData(state, undefined))) return isWhole;
      }
    }
    return isWhole;
  }

  /** The position that is asked about, or the last there is up to `lastSeq`; refused where the log does not reach back to it. */
  async #placeOf(at: At, lastSeq = Infinity): Promise<Place | Refused> {
    const extent = await this.#log.extent();
    const { epoch, firstSeq } = extent;
    if (epoch !== this.#projection.epoch) throw new LogError("unreachable", "The log was made again");
    if (at.epoch !== undefined && at.epoch !== epoch) {
      return gone("that position is of another life of the stream", { limit: "epoch", epoch });
    }
    const end = Math.min(extent.lastSeq, lastSeq);
    const seq = at.seq === undefined
      ? await positionAt(this.#log, at.time, { firstSeq, lastSeq: end })
      : Math.min(at.seq, end);
    if (seq >= firstSeq || firstSeq === 1) return { epoch, seq };
    return gone(`the log reaches back to position ${firstSeq}, and no further`, { first_seq: firstSeq });
  }
}

const BUSY: ErrorBody = {
  code: "RATE_LIMITED",
  message: "too many lists of the past are asked for at once",
  details: { retry_after_ms: BUSY_MS },
};

function gone(message: string, details: Readonly<Record<string, unknown>>): Refused {
  return { refused: { code: "LIMIT_EXCEEDED", message, details: { limit: "retention", ...details } } };
}
