import type { Scope } from "../access/scope.ts";
import type { Entry } from "../log/event_log.ts";
import type { HistoryEvent } from "../protocol/server_frames.ts";
import { fold, type TaskState } from "../task/fold.ts";
import { bodyIn, parseRecord } from "../task/worker_event.ts";
import { tagsOf } from "./delivery.ts";
import type { Projection } from "./projection.ts";
import { upTo } from "./replay.ts";
import type { Turns } from "./turns.ts";

/** A page of a task's events as they were written. */
export type EventPage = { readonly events: readonly HistoryEvent[]; readonly next_after_seq?: number };

/** Which page of a task's events, and for whom: where not everybody may see the task, for whoever sees those of `scope`. */
export type EventQuery = {
  readonly taskId: string;
  readonly afterSeq: number;
  readonly limit: number;
  readonly scope?: Scope | undefined;
};

/** A page of events as they were written ends at this. */
const EVENTS_BYTES = 1_048_576;
/** So many are read at once where some of them are not shown. */
const HIDDEN_AT_ONCE = 1_000;

/**
 * A page of a task's events; undefined where the log has none of that task. An event is shown to whoever could see the task
 * when it had happened: what a task was while others had it, is theirs.
 */
export async function eventPage(
  projection: Projection,
  turns: Turns,
  query: EventQuery,
): Promise<EventPage | undefined> {
  const { taskId, afterSeq, limit, scope } = query;
  const { head } = projection;
  const sight = scope === undefined || scope.sees({ taskId, tags: [] })
    ? undefined
    : new Sight(projection, scope, query);
  let after = afterSeq;
  for (;;) {
    const atOnce = sight === undefined || after === afterSeq ? limit : Math.max(limit, HIDDEN_AT_ONCE);
    const bounds = { after, upTo: head, limit: atOnce, maxBytes: EVENTS_BYTES };
    const { entries, through } = await turns.run(() => projection.readTask(taskId, bounds));
    if (after === afterSeq && entries.length === 0 && !(await exists(projection, taskId, afterSeq))) {
      return undefined;
    }
    const seen = sight === undefined ? entries : await turns.run(() => sight.seen(entries));
    const events = seen.flatMap(historyEvent).slice(0, limit);
    const last = seen.length > limit ? events.at(-1)?.seq ?? through : through;
    if (events.length > 0 || last >= head || last <= after || sight === undefined) {
      return last < head ? { events, next_after_seq: last } : { events };
    }
    after = last;
  }
}

/** Follows whose a task was, page after page of its events. */
class Sight {
  readonly #projection: Projection;
  readonly #scope: Scope;
  readonly #query: EventQuery;
  /** The task by what was read so far. */
  #state: TaskState | undefined;
  #isKnown: boolean;

  constructor(projection: Projection, scope: Scope, query: EventQuery) {
    this.#projection = projection;
    this.#scope = scope;
    this.#query = query;
    this.#isKnown = query.afterSeq === 0;
  }

  async seen(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const { taskId, afterSeq } = this.#query;
    const now = this.#projection.tasks.get(taskId)?.state;
    // What describes it now does so since it was said, whatever was before.
    const since = now?.greatest.created?.seq ?? Infinity;
    if (!this.#isKnown && (entries[0]?.seq ?? Infinity) < since) {
      const past = (await this.#projection.stateAt(taskId, afterSeq))?.state;
      this.#state = past ?? (now && upTo(now, afterSeq));
      this.#isKnown = true;
    }
    return entries.filter((entry) => {
      const parsed = parseRecord(entry);
      if ("rejected" in parsed) return false;
      this.#state = fold(this.#state, parsed.event);
      const state = now !== undefined && entry.seq >= since ? now : this.#state;
      return this.#scope.sees({ taskId, tags: tagsOf(state) });
    });
  }
}

async function exists(projection: Projection, taskId: string, afterSeq: number): Promise<boolean> {
  if (projection.tasks.get(taskId) !== undefined) return true;
  return afterSeq > 0 && (await projection.stateFromLog(taskId)) !== undefined;
}

function historyEvent(entry: Entry): HistoryEvent[] {
  const parsed = parseRecord(entry);
  if ("rejected" in parsed) return [];
  const { kind } = parsed.event;
  const text = new TextDecoder().decode(entry.body);
  const told = bodyIn(text === "" ? {} : JSON.parse(text), parsed.event);
  if ("rejected" in told) return [];
  return [{ seq: entry.seq, time: new Date(entry.time).toISOString(), kind, body: told.body }];
}
