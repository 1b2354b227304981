/**
 * How long progress has to be held back, in ms; 0: it may go now. The first may go at once, a next one
 * `intervalMs` after the last.
 */
export function holdMs(lastSentMs: number | undefined, nowMs: number, intervalMs: number): number {
  if (lastSentMs === undefined) return 0;
  return Math.max(0, lastSentMs + intervalMs - nowMs);
}
