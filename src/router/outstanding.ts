import type { Interest } from "../projection/interest.ts";
import { conflate, type Part } from "./conflation.ts";

/** What a connection was not written yet because its pace has it wait: progress, and nothing else. */
export type Outstanding = {
  /** The position up to which the connection has been served. */
  readonly cursor: number;
  /** The position up to which `parts` are what came after `cursor`. */
  readonly upTo: number;
  /** Absent where they became too many: then they are read from `cursor` when their time has come. */
  readonly parts?: readonly Part[];
};

/** So much is kept for one connection; one that waits for more reads it as one that is behind does. */
const MAX_PARTS = 1_024;

/** What is outstanding once `parts`, which reach up to `upTo`, wait too. */
export function waitFor(before: Outstanding, parts: readonly Part[], upTo: number): Outstanding {
  if (before.parts === undefined) return { ...before, upTo };
  const all = conflate([...before.parts, ...after(before.upTo, parts)]);
  return all.length > MAX_PARTS ? { cursor: before.cursor, upTo } : { ...before, upTo, parts: all };
}

/** What of it is still outstanding for who has been served up to `cursor` and is to get no more than this of it now. */
export function heldOf(before: Outstanding, interest: Interest, cursor: number): Outstanding {
  const parts = before.parts?.filter(({ delivery }) => interest.share(delivery)?.progress === true);
  return { ...before, cursor, ...(parts === undefined ? {} : { parts }) };
}

/** Those of `parts` after a position. */
export function after(position: number, parts: readonly Part[]): readonly Part[] {
  return parts.filter(({ delivery }) => delivery.seq > position);
}
