import { eventually } from "../eventually.ts";
import type { Fault } from "./fault.ts";
import { judged, markOf, untruths } from "./judgement.ts";
import { hasMore, type World } from "./world.ts";

/** How the whole came through a fault. */
export type Survival = {
  /** Status changes that were acknowledged and that some client was never told. */
  readonly lost: number;
  /** Status changes that some client was told twice. */
  readonly doubled: number;
  /** How long it took from when the fault was mended until every client was told something new, ms. */
  readonly backMs: number;
  /** Connections that ended meanwhile. */
  readonly closed: number;
  /** What was answered meanwhile. */
  readonly says: string;
  /** Whatever is not as it has to be; empty where all is well. */
  readonly wrong: readonly string[];
};

/** How long frames may take to come again, ms: as long as the slowest retry there is, on a machine with much else to do. */
const BACK_MS = 30_000;

let works = 0;

/** Works for a while, causes the fault, works on, and judges what clients were told. `events` before, and after. */
export async function survival(world: World, fault: Fault, events: number): Promise<Survival> {
  const { clients, gateway } = world;
  const marks = clients.map(markOf);
  world.work(`work${++works}`);
  await hasMore(world, events);
  let back: Promise<number> | undefined;
  const mended = (): void => {
    back ??= untilToldAnew(world);
    back.catch(() => {}); // looked at below
  };
  const { says, lostUpTo = 0 } = await fault.cause(world, mended);
  mended();
  const backMs = await back ?? 0;
  await hasMore(world, events);
  const { load } = world;
  await load.stop();
  const judgements = await Promise.all(clients.map((client, i) => {
    const mark = marks[i] ?? markOf(client);
    return judged(client, load, { mark, gap: fault.gap });
  }));
  await eventually("the gateway says that it is ready", () => gateway.isReady());
  return {
    lost: Math.max(...judgements.map(({ lost }) => lost)),
    doubled: Math.max(...judgements.map(({ doubled }) => doubled)),
    backMs,
    closed: clients.reduce((sum, { closes }, i) => sum + closes.length - (marks[i]?.closes ?? 0), 0),
    says,
    wrong: [...judgements.flatMap(({ wrong }) => wrong), ...await untruths(gateway, load, lostUpTo)],
  };
}

/** How long it takes until every client was told of something that is stored from now on, ms. */
async function untilToldAnew({ clients, load }: World): Promise<number> {
  const fromMs = performance.now();
  const { seq } = load;
  for (const client of clients) {
    const isAnew = () => {
      const last = client.statuses.findLast(({ taskId }) => load.has(taskId));
      return last !== undefined && last.seq > seq;
    };
    await client.until("something new is told", isAnew, BACK_MS);
  }
  return performance.now() - fromMs;
}
