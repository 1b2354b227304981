import type { RejectedItem } from "../protocol/server_frames.ts";
import { authorization } from "./session.ts";
import { parseSamples, type Sample, sum } from "./prometheus_text.ts";

/** The gateway's own numbers at one moment. */
export type Reading = {
  /** When they were read, ms since the epoch. */
  readonly atMs: number;
  readonly samples: readonly Sample[];
  readonly rejected: { readonly total: number; readonly items: readonly RejectedItem[] };
  /** Why the gateway is not ready; empty when it is. */
  readonly unready: readonly string[];
};

const TIMEOUT_MS = 10_000;

/** Reads them from the gateway that serves `base`. Rejects when it is away, or answers with an error. */
export async function readOperator(
  base: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Reading> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const get = async (path: string): Promise<Response> => {
    try {
      return await fetch(new URL(path, base), { signal: within, headers: authorization(token) });
    } catch (cause) {
      // Each browser has its own words for it.
      throw cause instanceof TypeError ? new Error("the gateway cannot be reached", { cause }) : cause;
    }
  };
  const [metrics, rejected, ready] = await Promise.all([get("metrics"), get("api/rejected"), get("readyz")]);
  for (const { ok, status, url } of [metrics, rejected]) {
    if (!ok) throw new Error(`${new URL(url).pathname}: HTTP ${status}`);
  }
  // The answers are those of the gateway that served this page.
  const { total, items }: Reading["rejected"] = await rejected.json();
  const { reasons }: { readonly reasons: readonly string[] } = await ready.json();
  return {
    atMs: Date.now(),
    samples: parseSamples(await metrics.text()),
    rejected: { total, items },
    unready: reasons,
  };
}

/** How much a counter grew a second between two readings; null where there is nothing to compare. */
export function growth(before: Reading | undefined, now: Reading, name: string): number | null {
  const [was, is] = [before === undefined ? null : sum(before.samples, name), sum(now.samples, name)];
  if (before === undefined || was === null || is === null || now.atMs <= before.atMs) return null;
  // A gateway that was started anew counts from 0.
  return Math.max(is - was, 0) / ((now.atMs - before.atMs) / 1_000);
}
