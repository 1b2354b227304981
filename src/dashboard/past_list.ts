import { useEffect, useRef, useState } from "preact/hooks";
import type { Client, TasksPage, TaskStatusData } from "../client/client.ts";
import { latestOnly } from "./scrubbing.ts";

/** The tasks as they were at a position, the newest first, as far as they were read. */
export type PastList = {
  /** The position; undefined before the first answer. While another is being asked for, the last answer stands. */
  readonly at: number | undefined;
  readonly tasks: readonly TaskStatusData[];
  /** How many there were, read or not. */
  readonly total: number;
  /** Whether more of them can be read. */
  readonly hasMore: boolean;
  /** Whether something may be missing that the log no longer has. */
  readonly isTruncated: boolean;
  /** Why the last answer is none. What was read before stays where it was of the same position. */
  readonly error: unknown;
};

const NOTHING: PastList = {
  at: undefined,
  tasks: [],
  total: 0,
  hasMore: false,
  isTruncated: false,
  error: undefined,
};

const PAGE = 1_000;
/** So many tasks of a past moment are read at most, as of the present. */
export const MAX_PAST_TASKS = 20_000;

/** What reads the list at one position after the other. */
export type PastReader = {
  /** The newest of the positions that were wanted is read, its first page; undefined: nothing is wanted any more. */
  readonly want: (at: number | undefined) => void;
  /** Reads the next page, unless one is being read, there is none, or the last one failed. */
  readonly more: () => void;
  /** Asks once more for what failed. */
  readonly again: () => void;
  readonly stop: () => void;
};

/** Reads lists of the past page by page, and tells each state of the one that was wanted last. */
export function pastReader(getTasks: Client["getTasks"], tell: (list: PastList) => void): PastReader {
  let list = NOTHING;
  let next: { readonly page: number; readonly limit: number } | undefined;
  let isReading = false;
  let isWanted = false;
  const become = (changed: PastList): void => tell(list = changed);

  const take = (at: number, asked: number, before: readonly TaskStatusData[], answer: TasksPage): void => {
    const { tasks, total, next_page: page, limit = asked } = answer;
    const known = new Set(before.map(({ task_id: id }) => id));
    // A list that was looked up anew meanwhile may have moved by some.
    const all = [...before, ...tasks.filter(({ task_id: id }) => !known.has(id))].slice(0, MAX_PAST_TASKS);
    next = page === undefined || all.length >= MAX_PAST_TASKS ? undefined : { page, limit };
    const isTruncated = answer.at?.truncated === true || before.length > 0 && list.isTruncated;
    become({ at, tasks: all, total, hasMore: next !== undefined, isTruncated, error: undefined });
  };
  const first = latestOnly((at) => getTasks({ at: { seq: at }, limit: PAGE }), (at, answer) => {
    if (!isWanted) return;
    next = undefined;
    if ("value" in answer) take(at, PAGE, [], answer.value);
    else become({ ...NOTHING, at, error: answer.error });
  });
  const more = async (): Promise<void> => {
    const { at, tasks } = list;
    if (isReading || at === undefined || next === undefined || list.error !== undefined) return;
    const { page, limit } = next;
    const of = list;
    isReading = true;
    try {
      const answer = await getTasks({ at: { seq: at }, page, limit });
      if (list === of) take(at, limit, tasks, answer);
    } catch (error) {
      if (list === of) become({ ...of, error });
    }
    isReading = false;
  };
  return {
    want(at) {
      isWanted = at !== undefined;
      if (at !== undefined) first.want(at);
      else become(NOTHING);
    },
    more: () => void more(),
    again() {
      const { at, error } = list;
      if (at === undefined || error === undefined) return;
      if (next === undefined) return first.want(at);
      become({ ...list, error: undefined });
      void more();
    },
    stop() {
      first.stop();
      list = NOTHING; // what is still read is nobody's
    },
  };
}

/** The list as it was at position `at`, the newest only while it is dragged; nothing while `at` is undefined. */
export function usePastList(
  client: Client,
  at: number | undefined,
): PastList & Pick<PastReader, "more" | "again"> {
  const [list, set] = useState(NOTHING);
  const reader = useRef<PastReader | undefined>(undefined);
  useEffect(() => {
    const one = pastReader((query) => client.getTasks(query), set);
    reader.current = one;
    return one.stop;
  }, [client]);
  useEffect(() => reader.current?.want(at), [client, at]);
  const shown = at === undefined ? NOTHING : list;
  return { ...shown, more: () => reader.current?.more(), again: () => reader.current?.again() };
}
