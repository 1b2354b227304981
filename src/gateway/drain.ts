import type { Connection } from "../connection/connection.ts";
import type { Clock } from "../router/router.ts";

/** Time between two slots: so many clients can come back to another gateway without a crowd. */
const SLOT_MS = 5;

/**
 * Tells every connection to come back after a slot of its own, serves it until then, and closes it with 1012.
 * Slots are spread over at most half of `drainMs`. Resolves when all have gone or `drainMs` are over.
 */
export function drainAll(
  connections: () => Iterable<Connection>,
  options: { readonly clock: Clock; readonly drainMs: number; readonly random: () => number },
): Promise<void> {
  const { clock, drainMs, random } = options;
  const all = [...connections()];
  const spreadMs = Math.min(drainMs / 2, (all.length - 1) * SLOT_MS);
  const timers: (() => void)[] = [];
  for (const connection of all) {
    const slotMs = Math.round(Math.max(0, spreadMs) * random());
    connection.drain(slotMs);
    timers.push(clock.after(slotMs, () => connection.close("restart")));
  }
  return new Promise((resolve) => {
    const deadlineMs = clock.now() + drainMs;
    const check = (): void => {
      const gone = connections()[Symbol.iterator]().next().done === true;
      if (!gone && clock.now() < deadlineMs) {
        clock.after(10, check);
        return;
      }
      for (const callOff of timers) callOff();
      resolve();
    };
    check();
  });
}
