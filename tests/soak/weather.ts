import { sleep, systemClock } from "../../src/worker/clock.ts";
import type { NatsServer } from "../nats_server.ts";
import type { Chance } from "../simulation/chance.ts";
import type { Crowd } from "./crowd.ts";
import type { Fault } from "./sample.ts";

/** How long a server stays away, or silent, ms. */
const AWAY_MS = [300, 3_000] as const;

/** What goes wrong around a gateway. */
export type WeatherOptions = {
  readonly crowd: Crowd;
  /** Undefined where the log is embedded, which lives and dies with the gateway. */
  readonly nats: NatsServer | undefined;
  readonly chance: Chance;
  /** Between two faults, ms: from, to. */
  readonly betweenMs: readonly [number, number];
  /** ms since the load began. */
  readonly now: () => number;
};

/** One fault after the other until `signal` aborts; at the end all is well again. Notes each in `faults`. */
export async function weather(
  { crowd, nats, chance, betweenMs, now }: WeatherOptions,
  faults: Fault[],
  signal: AbortSignal,
): Promise<void> {
  const pause = (ms: number) => sleep(systemClock, ms, signal).catch(() => {}); // it is over
  const away = () => pause(chance.whole(...AWAY_MS));
  const happenings: Readonly<Record<string, () => Promise<void>>> = {
    "connections cut": () => Promise.resolve(crowd.cut()),
    ...(nats === undefined ? {} : {
      "NATS killed": async () => {
        await nats.kill();
        await away();
        await nats.restart();
      },
      "NATS paused": async () => {
        nats.pause();
        await away();
        nats.resume();
      },
    }),
  };
  const names = Object.keys(happenings);
  for (let turn = chance.whole(0, 2);; turn++) {
    await pause(chance.whole(...betweenMs));
    if (signal.aborted) return;
    const name = names[turn % names.length] ?? "";
    const fromMs = now();
    await happenings[name]?.();
    faults.push({ name, fromMs, toMs: now() });
  }
}
