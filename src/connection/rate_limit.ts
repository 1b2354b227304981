/** A token bucket: `tokens` are left as of `atMs`. */
export type Bucket = { readonly tokens: number; readonly atMs: number };

/** How fast a bucket fills, in tokens a second, and how many it holds. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** Less than a token by so little counts as one: sums of fractions are not exact. */
const ROUNDING = 1e-9;

/**
 * Takes `cost` tokens at `nowMs`, or says in how many ms they will be there. What costs more than the bucket holds is
 * had for all that it holds.
 */
export function take(
  bucket: Bucket,
  rate: Rate,
  cost: number,
  nowMs: number,
): { readonly bucket: Bucket; readonly retryAfterMs?: number } {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  const tokens = Math.min(rate.burst, bucket.tokens + elapsedMs / 1000 * rate.perSecond);
  const lacking = Math.min(cost, rate.burst) - tokens;
  if (lacking <= ROUNDING) return { bucket: { tokens: Math.max(0, -lacking), atMs: nowMs } };
  return { bucket: { tokens, atMs: nowMs }, retryAfterMs: Math.ceil(lacking / rate.perSecond * 1000) };
}
