import { Chance } from "./chance.ts";

/** What may go wrong, or happen, in a simulation. `who` picks among those that there are. */
export const FAULTS = [
  "work",
  "fidget",
  "ask",
  "cut a link",
  "cut all links",
  "mute a link",
  "stall a reader",
  "read again",
  "kill a gateway",
  "drain a gateway",
  "unlink a gateway",
  "link a gateway",
  "lose answers",
  "slow the log",
  "heal the log",
  "stop the stream",
  "start the stream",
  "let retention take",
  "make the stream anew",
  "unlink a worker",
  "link a worker",
  "lose acknowledgements",
  "kill a worker",
  "publish",
] as const;

/** One of {@link FAULTS}. */
export type Fault = (typeof FAULTS)[number];

/** Something that happens at a time, ms from the beginning. */
export type Happening = { readonly atMs: number; readonly fault: Fault; readonly who: number };

/** How a simulation is set up, and what happens in it. */
export type Plan = {
  readonly seed: number;
  readonly gateways: number;
  readonly clients: number;
  readonly workers: number;
  readonly tasks: number;
  /** How long tokens live, ms; undefined where none are asked for. */
  readonly tokenMs: number | undefined;
  /** How many events gateways keep in memory. */
  readonly tailEvents: number;
  /** How long tasks may be silent, ms, and how long stale; 0: for ever. */
  readonly staleMs: number;
  readonly reapMs: number;
  /** Whether values are published to channels, and watched. Default: no. */
  readonly channels?: boolean;
  readonly happenings: readonly Happening[];
};

/** How often each happens beside the others; retention and another stream only in some simulations. */
const USUAL: Readonly<Partial<Record<Fault, number>>> = {
  "work": 14,
  "fidget": 5,
  "ask": 6,
  "cut a link": 4,
  "cut all links": 1,
  "mute a link": 2,
  "stall a reader": 3,
  "read again": 3,
  "kill a gateway": 3,
  "drain a gateway": 2,
  "unlink a gateway": 2,
  "link a gateway": 3,
  "lose answers": 2,
  "slow the log": 1,
  "heal the log": 2,
  "stop the stream": 1,
  "start the stream": 3,
  "unlink a worker": 2,
  "link a worker": 3,
  "lose acknowledgements": 2,
  "kill a worker": 3,
};

const LENGTH_MS = 40_000;

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const chance = new Chance(seed);
  const weights: Partial<Record<Fault, number>> = { ...USUAL };
  if (chance.happens(0.25)) weights["let retention take"] = 2;
  if (chance.happens(0.15)) weights["make the stream anew"] = 3;
  const urn = Object.entries(weights).flatMap(([fault, weight]) =>
    Array<string>(weight).fill(fault)
  ) as Fault[];
  const happenings: Happening[] = [{ atMs: 0, fault: "work", who: 0 }, { atMs: 5, fault: "work", who: 1 }];
  const count = chance.whole(5, 45);
  for (let i = 0; i < count; i++) {
    happenings.push({ atMs: chance.whole(0, LENGTH_MS), fault: chance.pick(urn), who: chance.whole(0, 11) });
  }
  const values = new Chance(seed).of("channels");
  const channels = values.happens(0.5);
  for (let left = channels ? values.whole(3, 30) : 0; left > 0; left--) {
    happenings.push({ atMs: values.whole(0, LENGTH_MS), fault: "publish", who: values.whole(0, 11) });
  }
  happenings.sort((one, other) => one.atMs - other.atMs);
  return {
    seed,
    gateways: chance.whole(1, 3),
    clients: chance.whole(1, 3),
    workers: chance.whole(1, 2),
    tasks: chance.whole(2, 5),
    tokenMs: chance.happens(0.3) ? chance.whole(15, 60) * 1_000 : undefined,
    tailEvents: chance.pick([8, 40, 100_000]),
    staleMs: chance.pick([5_000, 30_000]),
    reapMs: chance.pick([0, 3_000, 20_000]),
    ...(channels ? { channels } : {}),
    happenings,
  };
}
