import { useEffect, useRef, useState } from "preact/hooks";
import { latestOnly } from "./scrubbing.ts";

/** What was at a position. While another is being asked for, the last answer stands. */
export type Past<T> = {
  /** What {@link Past.value} or {@link Past.error} belongs to; undefined before the first answer. */
  readonly at: number | undefined;
  readonly value: T | undefined;
  readonly error: unknown;
};

const NOTHING = { at: undefined, value: undefined, error: undefined } as const;

/** What `ask` answers for position `at`, the newest only while it is dragged; nothing while `at` is undefined. */
export function usePast<T>(at: number | undefined, ask: (at: number) => Promise<T>): Past<T> {
  const [past, set] = useState<Past<T>>(NOTHING);
  const asking = useRef(ask);
  asking.current = ask;
  const want = useRef<((at: number) => void) | undefined>(undefined);
  useEffect(() => {
    const one = latestOnly((position) => asking.current(position), (position, answer) => {
      set(
        "value" in answer
          ? { at: position, value: answer.value, error: undefined }
          : { at: position, value: undefined, error: answer.error },
      );
    });
    want.current = one.want;
    return one.stop;
  }, []);
  useEffect(() => {
    if (at === undefined) set(NOTHING);
    else want.current?.(at);
  }, [at]);
  return at === undefined ? NOTHING : past;
}
