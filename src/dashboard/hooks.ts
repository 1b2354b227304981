import { useEffect, useRef, useState } from "preact/hooks";
import type { Store } from "../client/client.ts";

/** The value of a store, as it changes. */
export function useStore<T>(store: Store<T>): T {
  const [value, set] = useState<T>(() => store.getSnapshot());
  useEffect(() => store.subscribe((next) => set(() => next)), [store]);
  return value;
}

/** The time, ms since the epoch, again every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, set] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** Always the newest `value`, for listeners that live longer than one rendering. */
export function useLatest<T>(value: T): { current: T } {
  const ref = useRef(value);
  ref.current = value;
  return ref;
}
