import { othersFirst } from "../log/others_first.ts";
import type { TaskState } from "../task/fold.ts";
import type { Projection } from "./projection.ts";
import type { Place, Retained } from "./retained.ts";
import { fits, type TaskFilter, type TaskRecord } from "./task_table.ts";
import { WaitingPlaces } from "./waiting_places.ts";

/** The tasks that fitted at some position, the newest first. */
export type PastList = {
  readonly ids: readonly string[];
  /** Whether some may be missing. */
  readonly truncated: boolean;
};

/** Tasks are looked at for so long, ms; those not reached by then are missing, the oldest first. */
const LOOK_MS = 2_000;
/** Tasks read of the log together. */
const READ_AT_ONCE = 256;
/**
 * So many lists may wait to be looked up, one at a time, and so many of those who may see the same: nobody takes all the places.
 * Further ones are refused.
 */
const WAITING = { max: 16, maxAlike: 4 };
/** Lists that are kept for who turns their pages, and how long, ms. */
const KEPT = 8;
const KEPT_MS = 60_000;

type Found = { readonly id: string; readonly from: number };

/**
 * Which tasks there were at a position: of those in memory, and of those that it is remembered where their events lie. The
 * list is kept for a while, so that its pages are of one list.
 */
export class PastLists {
  readonly #projection: Projection;
  readonly #retained: Retained;
  readonly #now: () => number;
  /** By what was asked, the oldest first. */
  readonly #kept = new Map<string, { readonly list: Promise<PastList>; readonly askedMs: number }>();
  #last: Promise<unknown> = Promise.resolve();
  readonly #places = new WaitingPlaces(WAITING);

  constructor(projection: Projection, retained: Retained, now: () => number) {
    this.#projection = projection;
    this.#retained = retained;
    this.#now = now;
  }

  /** The list; undefined where too many wait for theirs. Rejects with a LogError. */
  of(place: Place, { status, tag, parent_id, type, scope }: TaskFilter): Promise<PastList> | undefined {
    const key = JSON.stringify([place.epoch, place.seq, status, tag, parent_id, type, scope?.key]);
    const askedMs = this.#now();
    const known = this.#kept.get(key);
    if (known !== undefined && askedMs - known.askedMs < KEPT_MS) return known.list;
    const leave = this.#places.take(scope);
    if (leave === undefined) return undefined;
    const filter = { status, tag, parent_id, type, scope };
    const list = this.#last.then(() => this.#look(place, filter));
    this.#last = list.catch(() => this.#kept.delete(key)).finally(leave);
    this.#kept.delete(key);
    this.#kept.set(key, { list, askedMs });
    for (const oldest of this.#kept.keys()) if (this.#kept.size > KEPT) this.#kept.delete(oldest);
    return list;
  }

  /** Tasks as they were at `seq`; those that the log has nothing of up to there are left out. */
  async statesAt(ids: readonly string[], seq: number): Promise<ReadonlyMap<string, TaskState>> {
    const states = new Map<string, TaskState>();
    const spoke = new Map<string, number>();
    for (const id of ids) {
      const record = this.#projection.tasks.get(id);
      if (record !== undefined && isSilentSince(record, seq)) states.set(id, record.state);
      else spoke.set(id, seq);
    }
    for (const [id, past] of await this.#projection.statesAt(spoke)) states.set(id, past.state);
    return states;
  }

  async #look(place: Place, filter: TaskFilter): Promise<PastList> {
    await this.#projection.walked; // until then each task would be searched for
    const { tasks, whereabouts } = this.#projection;
    const { seq } = place;
    const endMs = this.#now() + LOOK_MS;
    const found: Found[] = [];
    const take = (id: string, state: TaskState): void => {
      if (fits(state, filter)) found.push({ id, from: oldestSeq(state) });
    };
    // Those that left memory are the oldest. The newest are looked at first.
    const ids = [...whereabouts.ids()].filter((id) => tasks.get(id) === undefined);
    for (const record of tasks.all()) if (!isBornAfter(record, seq)) ids.push(record.id);
    let truncated = tasks.hasEvicted && !whereabouts.isWhole;
    for (let end = ids.length; end > 0; end -= READ_AT_ONCE) {
      if (this.#now() >= endMs) {
        truncated = true;
        break;
      }
      const some = ids.slice(Math.max(0, end - READ_AT_ONCE), end);
      const states = await this.statesAt(some, seq);
      const { lastSeq } = await this.#retained.extent(place);
      await othersFirst(); // where nothing had to be read
      for (const id of some) {
        const state = states.get(id);
        if (state !== undefined) take(id, state);
        else if (!truncated && !beginsWithCreated(tasks.get(id)?.state)) {
          truncated = await this.#retained.mayBeCapped(id, undefined, { at: seq, lastSeq });
        }
      }
    }
    found.sort((one, other) => other.from - one.from || (one.id < other.id ? 1 : -1));
    return { ids: found.map(({ id }) => id), truncated };
  }
}

/** Whether a task's `created` is the first of what counts: then it had said nothing before. */
function beginsWithCreated(state: TaskState | undefined): boolean {
  return state?.greatest.created !== undefined && state.greatest.created.seq === oldestSeq(state);
}

/**
 * Whether a task is known to have begun after `seq`: we met it by its `created`. Of one that we met by another event, others
 * may have been taken before we read them.
 */
function isBornAfter({ bornSeq, state }: TaskRecord, seq: number): boolean {
  return bornSeq > seq && bornSeq === state.greatest.created?.seq && beginsWithCreated(state);
}

/** Whether what a task is now, it was at `seq`: all that it is made of was there. */
function isSilentSince({ state }: TaskRecord, seq: number): boolean {
  for (const event of Object.values(state.greatest)) if (event.seq > seq) return false;
  return true;
}

/** The oldest position of what a task is made of: of its `created`, where it was created. */
function oldestSeq({ greatest }: TaskState): number {
  let oldest = Infinity;
  for (const event of Object.values(greatest)) oldest = Math.min(oldest, event.seq);
  return oldest;
}
