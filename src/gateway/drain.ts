import type { Connection } from "../connection/connection.ts";
import type { Clock } from "../router/router.ts";

/** Between two slots where there are few connections. */
const FEW_SLOT_MS = 100;
/** Over so long slots are spread otherwise: a fiftieth of them within 100 ms, so that a short stall makes no crowd either. */
const SPREAD_MS = 5_000;
/** Between two slots where there are very many: another gateway takes so many without a crowd. */
const MANY_SLOT_MS = 5;

/**
 * Tells every connection to come back after a slot of its own, serves it until then, and closes it with 1012.
 * Slots are evenly spread, from a moment on that is drawn, over at most half of `drainMs`. Resolves when all have gone or
 * `drainMs` are over.
 */
export function drainAll(
  connections: () => Iterable<Connection>,
  options: { readonly clock: Clock; readonly drainMs: number; readonly random: () => number },
): Promise<void> {
  const { clock, drainMs, random } = options;
  const all = [...connections()];
  const slots = slotsOf(all.length, { mostMs: drainMs / 2, random });
  const timers: (() => void)[] = [];
  for (const [i, connection] of all.entries()) {
    const slotMs = slots[i] ?? 0;
    connection.drain(slotMs);
    timers.push(clock.after(slotMs, () => connection.close("restart")));
  }
  return new Promise((resolve) => {
    const deadlineMs = clock.elapsed() + drainMs;
    const check = (): void => {
      const gone = connections()[Symbol.iterator]().next().done === true;
      if (!gone && clock.elapsed() < deadlineMs) {
        clock.after(10, check);
        return;
      }
      for (const callOff of timers) callOff();
      resolve();
    };
    check();
  });
}

/**
 * When each of so many connections is to come back, ms. Slots drawn one by one would crowd here and there, and a spread
 * that grew with their number alone would be short for a hundred: no 100 ms hold more than a tenth of them unless `mostMs`
 * is less than a second.
 */
export function slotsOf(
  count: number,
  { mostMs, random }: { readonly mostMs: number; readonly random: () => number },
): number[] {
  const wantedMs = Math.max(Math.min(count * FEW_SLOT_MS, SPREAD_MS), count * MANY_SLOT_MS);
  const everyMs = Math.min(wantedMs, mostMs) / Math.max(1, count);
  // Gateways that go away together share out the same time: each begins somewhere else in it.
  const begin = random();
  return Array.from({ length: count }, (_, i) => Math.floor((i + begin) * everyMs));
}
