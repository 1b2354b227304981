/** The positions of the stream that can be looked at. */
export type Range = { readonly first: number; readonly last: number };

/** The range from `first` to `last`, which is never empty and never runs backwards. */
export function rangeOf(first: number, last: number): Range {
  const from = Math.max(Math.floor(first), 1);
  return { first: from, last: Math.max(Math.floor(last), from) };
}

/** A position within the range. */
export function clamped(position: number, { first, last }: Range): number {
  return Math.min(Math.max(Math.round(position), first), last);
}

/** Where a position lies in the range, 0 to 1. */
export function share(position: number, range: Range): number {
  const { first, last } = range;
  return first === last ? 1 : (clamped(position, range) - first) / (last - first);
}

/** The next of these positions, in their order, after or before `at`; undefined where there is none. */
export function neighbour(
  positions: readonly number[],
  at: number,
  direction: "before" | "after",
): number | undefined {
  return direction === "after"
    ? positions.find((position) => position > at)
    : positions.findLast((position) => position < at);
}

/** So many ticks can be told apart on the widest screen. */
const MAX_TICKS = 400;

/** Where the ticks of these positions are drawn, as shares of the width, each once and not too many. */
export function ticks(positions: readonly number[], range: Range): readonly number[] {
  const places = new Set<number>();
  for (const position of positions) {
    if (position < range.first || position > range.last) continue;
    places.add(Math.round(share(position, range) * MAX_TICKS) / MAX_TICKS);
  }
  return [...places].sort((a, b) => a - b);
}

/**
 * Asks for the newest of many positions, one at a time: while a drag goes on those in between are passed over. An answer
 * that came too late is not told.
 */
export function latestOnly<T>(
  ask: (position: number) => Promise<T>,
  tell: (position: number, answer: { readonly value: T } | { readonly error: unknown }) => void,
): { readonly want: (position: number) => void; readonly stop: () => void } {
  let wanted: number | undefined;
  let asking = false;
  let over = false;
  const go = async (): Promise<void> => {
    asking = true;
    while (wanted !== undefined && !over) {
      const position = wanted;
      wanted = undefined;
      const answer = await ask(position).then((value) => ({ value }), (error: unknown) => ({ error }));
      if (!over && wanted === undefined) tell(position, answer);
    }
    asking = false;
  };
  return {
    want(position) {
      wanted = position;
      if (!asking) void go();
    },
    stop() {
      over = true;
    },
  };
}
