import * as v from "valibot";
import { type Bench, LOAD_CORE, pause, SERVER_CORE } from "./bench.ts";
import { Gateway } from "./gateway.ts";
import { monotonicMs } from "./libc.ts";
import { type Burst, Publisher } from "./publishing.ts";
import { Receiver } from "./receiver.ts";
import type { Contender, Measures } from "./scenario.ts";
import { natsServerWithStream } from "./stream.ts";

/** How long they may take that come back, ms. */
export const GIVE_UP_MS = 30_000;
/** How long is waited for frames that must not come, ms. */
const TOO_MANY_MS = 300;
const ASK_MS = 20;

/** Who is lost, and what happens meanwhile. */
export type Loss = {
  readonly clients: number;
  /** What each subscribes to; `{i}` is its number, from 1000 on. */
  readonly topics: string;
  /** Published before there are clients. */
  readonly known: Part;
  /** Published while they are there, and how many status changes of it each is to get: its cursor is at its last. */
  readonly seen: Part & { readonly each: number };
  /** Published while they are gone, and how many status changes of it each is to get. */
  readonly missed: Part & { readonly each: number };
  /** Whether each gets everything, so that positions must go up one by one. */
  readonly isEverything: boolean;
  /** Whether the gateway is killed with them (`kill -9`) and started again. */
  readonly gatewayDies: boolean;
};
type Part = Pick<Burst, "workload" | "tasks" | "from" | "events">;

const Welcome = v.object({ data: v.object({ epoch: v.string() }) });

/**
 * Loses clients and lets all come back at once, each with its own cursor as `since`. `seconds` count from the first
 * 200 of `/readyz`, or the first connect where the gateway lives, to the last frame of the last client; NaN where
 * somebody did not get all. `wrong` are the frames that were missing or double.
 */
export function returning(loss: Loss): Contender {
  return async (bench: Bench): Promise<Measures> => {
    await using nats = await natsServerWithStream(bench);
    const settings = { NATS_URL: nats.server.url };
    const options = { core: SERVER_CORE, dataDir: await bench.folder(), settings };
    await using receiver = await Receiver.start(LOAD_CORE);
    await using publisher = await Publisher.start(LOAD_CORE);
    await publisher.burst({ ...loss.known, port: nats.port });
    await using gateway = await Gateway.start(options);
    await receiver.connect("before", {
      ...gateway.opening(`topics=${loss.topics}&replay=none`),
      count: loss.clients,
      read: "statuses",
      until: { statuses: loss.seen.each },
      keepFirst: true,
    });
    await publisher.burst({ ...loss.seen, port: nats.port });
    if (!(await receiver.reached("before", GIVE_UP_MS)).all) throw new Error("Not all got the first change");
    const { groups } = await receiver.report();
    const { data: { epoch } } = v.parse(Welcome, JSON.parse(groups["before"]?.first ?? "{}"));
    if (loss.gatewayDies) await gateway.process.kill();
    await receiver.close("before");
    const { lastSeq } = await publisher.burst({ ...loss.missed, port: nats.port });
    if (!loss.gatewayDies) {
      await followed(gateway, lastSeq);
      return await cameBack(receiver, gateway, monotonicMs(), loss, epoch);
    }
    await using again = await Gateway.start(options);
    return await cameBack(receiver, again, again.readyAtMs, loss, epoch);
  };
}

/** Waits until the gateway knows of all, and of nobody any more. */
async function followed(gateway: Gateway, lastSeq: number): Promise<void> {
  const deadlineMs = monotonicMs() + GIVE_UP_MS;
  while (
    await gateway.metric("taskwire_log_followed") < lastSeq ||
    await gateway.metric("taskwire_connections") > 0
  ) {
    if (monotonicMs() > deadlineMs) throw new Error("The gateway does not catch up");
    await pause(ASK_MS);
  }
}

async function cameBack(
  receiver: Receiver,
  gateway: Gateway,
  startMs: number,
  { clients, topics, missed: { each }, isEverything }: Loss,
  epoch: string,
): Promise<Measures> {
  await receiver.connect("after", {
    ...gateway.opening(`topics=${topics}&since=${epoch}:{last}`),
    count: clients,
    atOnce: clients,
    read: "statuses",
    until: { statuses: each },
    comesBackAs: "before",
  });
  const { all, count, atMs } = await receiver.reached("after", GIVE_UP_MS);
  await pause(TOO_MANY_MS);
  const { total = 0, doubles = 0, holes = 0 } = (await receiver.report()).groups["after"]?.statuses ?? {};
  const unequal = Math.abs(total - clients * each) + clients - count;
  return {
    seconds: all ? ((atMs ?? NaN) - startMs) / 1_000 : NaN,
    total,
    unserved: clients - count,
    wrong: doubles + (isEverything ? holes : 0) + unequal,
  };
}
