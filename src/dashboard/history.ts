import { useEffect, useRef, useState } from "preact/hooks";
import type { Client, HistoryEvent } from "../client/client.ts";
import { isNotFound } from "./failure.ts";

/** A task's events, as far as they were read. */
export type History = {
  readonly events: readonly HistoryEvent[];
  /** Whether there are more than these. */
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: unknown;
};

const PAGE = 500;
/** So many are read by themselves; more when asked for. */
const UNASKED = 1_000;
/** While a task moves what is new is read this often at most, ms. */
const EVERY_MS = 1_000;

const NOTHING: History = { events: [], hasMore: false, isLoading: true, error: undefined };

/** The events of a task. What is new is read when `change` becomes another. */
export function useHistory(
  client: Client,
  id: string,
  change: unknown,
): History & { readonly more: () => void } {
  const [history, set] = useState<History>(NOTHING);
  const reader = useRef<{ readonly poke: () => void; readonly more: () => void } | undefined>(undefined);
  useEffect(() => {
    set(NOTHING);
    const one = readHistory(client, id, set);
    reader.current = one;
    return one.stop;
  }, [client, id]);
  useEffect(() => reader.current?.poke(), [change]);
  return { ...history, more: () => reader.current?.more() };
}

/** Reads a task's events page by page, and what is new at each `poke`. */
function readHistory(
  client: Client,
  id: string,
  tell: (history: History) => void,
): { readonly poke: () => void; readonly more: () => void; readonly stop: () => void } {
  let events: readonly HistoryEvent[] = [];
  let hasMore = false;
  let allowed = UNASKED;
  let isReading = false;
  let isPoked = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const page = async (): Promise<void> => {
    const answer = await client.getHistory(id, { afterSeq: events.at(-1)?.seq ?? 0, limit: PAGE });
    events = [...events, ...answer.events];
    hasMore = answer.next_after_seq !== undefined;
  };
  const read = async (): Promise<void> => {
    if (isReading || isOver) return;
    isReading = true;
    isPoked = false;
    let error: unknown;
    try {
      do await page(); while (hasMore && events.length < allowed && !isOver);
    } catch (cause) {
      // A task that has reported nothing yet has no events; whether it exists is told elsewhere.
      error = isNotFound(cause) ? undefined : cause;
    }
    isReading = false;
    if (isOver) return;
    tell({ events, hasMore, isLoading: false, error });
    timer = setTimeout(() => {
      timer = undefined;
      if (isPoked && !hasMore) void read();
    }, EVERY_MS);
  };
  void read();
  return {
    poke() {
      isPoked = true;
      if (timer === undefined && !hasMore) void read();
    },
    more() {
      allowed = events.length + PAGE;
      clearTimeout(timer);
      void read();
    },
    stop() {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
