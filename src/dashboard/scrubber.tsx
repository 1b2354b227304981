import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { count, say } from "./reader.ts";
import { clamped, neighbour, rangeOf, ticks } from "./scrubbing.ts";

/** What a scrubber moves over. */
export type ScrubberProps = {
  /** The first position that there is something at, and the last that was heard of. */
  readonly first: number;
  readonly last: number;
  /** What is looked at; undefined: now. */
  readonly at: number | undefined;
  /** Positions at which something happened, in order. */
  readonly positions?: readonly number[];
  /** Told at every move; `isDone` when it was let go of. */
  readonly onMove: (at: number | undefined, isDone: boolean) => void;
};

const WIDTH = 1_000;

/** Drags through the positions of the stream. */
export function Scrubber({ first, last, at, positions = [], onMove }: ScrubberProps): JSX.Element {
  // While the past is looked at the end stands still: a thumb that is held must not slide away.
  const [end, hold] = useState<number | undefined>(undefined);
  const range = rangeOf(first, Math.max(at === undefined ? last : end ?? last, at ?? 0));
  const value = clamped(at ?? range.last, range);
  const move = (position: number | undefined, isDone: boolean): void => {
    const isNow = position === undefined || (isDone && position >= range.last);
    hold(isNow ? undefined : end ?? last);
    onMove(isNow ? undefined : position, isDone);
  };
  const read = (event: { readonly currentTarget: HTMLInputElement }): number =>
    Number(event.currentTarget.value);
  const before = neighbour(positions, value, "before");
  const after = neighbour(positions, value, "after");
  return (
    <section class="scrubber" aria-label={say("timeTravel")}>
      {positions.length === 0 ? null : (
        <button
          type="button"
          aria-label={say("earlier")}
          title={say("earlier")}
          disabled={before === undefined}
          onClick={() => move(before, true)}
        >
          ◂
        </button>
      )}
      <div class="track">
        <svg viewBox={`0 0 ${WIDTH} 8`} preserveAspectRatio="none" aria-hidden="true">
          {ticks(positions, range).map((x) => <line key={x} x1={x * WIDTH} x2={x * WIDTH} y1="0" y2="8" />)}
        </svg>
        <input
          type="range"
          min={range.first}
          max={range.last}
          step={1}
          value={value}
          aria-label={say("position")}
          aria-valuetext={at === undefined ? say("now") : say("positionOf", { seq: at, last: range.last })}
          onInput={(event) => move(read(event), false)}
          onChange={(event) => move(read(event), true)}
        />
      </div>
      {positions.length === 0 ? null : (
        <button
          type="button"
          aria-label={say("later")}
          title={say("later")}
          disabled={at === undefined || after === undefined}
          onClick={() => move(after, true)}
        >
          ▸
        </button>
      )}
      <output>
        {at === undefined ? say("now") : say("positionOf", { seq: count(at), last: count(range.last) })}
      </output>
      {at === undefined ? null : (
        <button type="button" class="primary" onClick={() => move(undefined, true)}>
          {say("backToNow")}
        </button>
      )}
    </section>
  );
}
