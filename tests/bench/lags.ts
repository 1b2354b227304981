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

/**
 * How old the newest progress of each task was that a client held, ms, at its worst: just before newer came, and at
 * every `everyMs` for which none had come yet. It counts from when an event was published, so the worker's own pace is
 * in it. Event `n` is of task `n % tasks`; `from` is the number of the first event published. Pure.
 */
export function heldAges(
  samples: GroupReport["samples"],
  { timesMs, lastSeq }: Published,
  { from, tasks, everyMs }: { readonly from: number; readonly tasks: number; readonly everyMs: number },
): number[] {
  const first = lastSeq === null ? from : lastSeq - timesMs.length + 1;
  const [startMs = 0, endMs = 0] = [timesMs[0], timesMs.at(-1)];
  const ages: number[] = [];
  const waited = (heldMs: number, sinceMs: number, untilMs: number) => {
    for (let atMs = sinceMs + everyMs; atMs < untilMs; atMs += everyMs) ages.push(atMs - heldMs);
    if (untilMs > sinceMs) ages.push(untilMs - heldMs);
  };
  for (const { positions, timesMs: came } of samples) {
    // Who holds nothing of a task misses it since the first event of all.
    const held = new Float64Array(tasks).fill(startMs);
    const since = new Float64Array(tasks).fill(startMs);
    for (let i = 0; i < positions.length; i++) {
      const n = (positions[i] ?? 0) - first;
      const [published, cameMs] = [timesMs[n], came[i]];
      if (published === undefined || cameMs === undefined) continue;
      const task = (from + n) % tasks;
      waited(held[task] ?? startMs, since[task] ?? startMs, cameMs);
      held[task] = published;
      since[task] = cameMs;
    }
    // After the last event nothing newer can come: who has it waits for nothing.
    held.forEach((heldMs, task) => waited(heldMs, since[task] ?? startMs, endMs));
  }
  return ages;
}

/** When the last sampled frame came, on the monotonic clock in ms; 0 where none did. */
export function lastCameMs(samples: GroupReport["samples"]): number {
  return samples.reduce((last, { timesMs }) => Math.max(last, timesMs.at(-1) ?? 0), 0);
}
