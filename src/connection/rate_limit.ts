/** A token bucket: `tokens` are left as of `atMs`. */
export type Bucket = { readonly tokens: number; readonly atMs: number };

/** How fast a bucket fills, in tokens a second, and how many it holds. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** Takes `cost` tokens at `nowMs`, or says in how many ms they will be there. */
export function take(
  bucket: Bucket,
  rate: Rate,
  cost: number,
  nowMs: number,
): { readonly bucket: Bucket; readonly retryAfterMs?: number } {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  const tokens = Math.min(rate.burst, bucket.tokens + elapsedMs / 1000 * rate.perSecond);
  if (tokens >= cost) return { bucket: { tokens: tokens - cost, atMs: nowMs } };
  return {
    bucket: { tokens, atMs: nowMs },
    retryAfterMs: Math.ceil((cost - tokens) / rate.perSecond * 1000),
  };
}
