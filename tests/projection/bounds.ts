import type { ProjectionBounds } from "../../src/projection/projection.ts";

/** Bounds of a projection's memory, roomy where nothing else is said. */
export function boundsOf(
  { maxTasks = 10_000, maxEvents = 10_000, maxBytes = 1e9, whereaboutsBytes = 10_000_000 }: {
    readonly maxTasks?: number;
    readonly maxEvents?: number;
    readonly maxBytes?: number;
    readonly whereaboutsBytes?: number;
  } = {},
): ProjectionBounds {
  const whereabouts = { perSubject: 1_000, maxBytes: whereaboutsBytes };
  return { maxTasks, tail: { maxEvents, maxBytes }, whereabouts };
}
