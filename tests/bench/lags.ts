import type { Published } from "./publishing.ts";
import type { GroupReport } from "./receiver.ts";

/**
 * How long after it was published each sampled frame came, ms. `from` is the number of the first event published;
 * frames carry that number, or the position in the stream, of which `lastSeq` tells the last. Pure.
 */
export function lagsOf(
  samples: GroupReport["samples"],
  { timesMs, lastSeq }: Published,
  from: number,
): number[] {
  const first = lastSeq === null ? from : lastSeq - timesMs.length + 1;
  const lags: number[] = [];
  for (const { positions, timesMs: came } of samples) {
    for (let i = 0; i < positions.length; i++) {
      const published = timesMs[(positions[i] ?? 0) - first];
      const cameAt = came[i];
      if (published !== undefined && cameAt !== undefined) lags.push(cameAt - published);
    }
  }
  return lags;
}

/** When the last sampled frame came, on the monotonic clock in ms; 0 where none did. */
export function lastCameMs(samples: GroupReport["samples"]): number {
  return samples.reduce((last, { timesMs }) => Math.max(last, timesMs.at(-1) ?? 0), 0);
}
