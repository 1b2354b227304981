import { assert, assertEquals } from "@std/assert";
import { run } from "../programs.ts";
import { Watcher } from "../gateway/watcher.ts";
import type { Fault } from "./fault.ts";
import { hasMore, HEARTBEAT, type World } from "./world.ts";

const killed: Fault = {
  name: "the gateway is killed (kill -9)",
  async cause({ gateway }) {
    await gateway.kill();
    await gateway.start();
    return { says: "connections end; clients come back where they were" };
  },
};

/** The gateway stands still for so long. */
function stopped(name: string, forMs: number, quick: Pick<Fault, "isQuick"> = {}): Fault {
  return {
    ...quick,
    name: `the gateway stands still (SIGSTOP) for ${name}`,
    async cause({ gateway }) {
      gateway.signal("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, forMs));
      gateway.signal("SIGCONT");
      return { says: "who is there stays, who has left comes back" };
    },
  };
}

const noFiles: Fault = {
  name: "the gateway may open no more files",
  async cause(world) {
    const { gateway } = world;
    const limit = ["--pid", String(gateway.pid), "--nofile"];
    const before = (await run("prlimit", [...limit, "--output=SOFT,HARD", "--noheadings"])).trim();
    await run("prlimit", [...limit.slice(0, 2), "--nofile=3:"]);
    await using late = new Watcher({ url: gateway.wsUrl, returns: true });
    await isToldOn(world);
    const isServed = late.caughtUp;
    await run("prlimit", [...limit.slice(0, 2), `--nofile=${before.split(/\s+/).join(":")}`]);
    await late.until("who came too late is served", () => late.caughtUp, 30_000);
    assertEquals(isServed, false);
    return { says: "nobody new comes in; those who are in are served" };
  },
};

/** Those who are connected are told of what happens. */
async function isToldOn(world: World): Promise<void> {
  const { seq } = world.load;
  for (const client of world.clients) {
    await client.until("a client is told on", () => (client.statuses.at(-1)?.seq ?? 0) > seq);
  }
}

/** The clock leaps, by so many seconds from what is right each time, while all goes on. */
function clockSet(name: string, offsets: readonly number[], quick: Pick<Fault, "isQuick"> = {}): Fault {
  return {
    ...quick,
    name: `the gateway's clock is set ${name}`,
    async cause(world, mended) {
      const { clock, clients } = world;
      for (const seconds of offsets) {
        await hasMore(world, 20);
        await clock.set(seconds);
        const told = await clients[0]?.ask("ping");
        assert(told?.type === "pong");
        const ahead = (told.data.server_time - Date.now()) / 1_000;
        assert(Math.abs(ahead - seconds) < 60, `${ahead} s ahead`);
        await isToldOn(world);
      }
      mended();
      await new Promise((resolve) => setTimeout(resolve, SOON_MS));
      return { says: "nobody is closed" };
    },
  };
}

/** Long enough to be taken for gone. */
const SOON_MS = 1.5 * HEARTBEAT.idleMs;
const QUICK = { isQuick: true } as const;

/** What happens to a gateway, on whatever log. */
export const GATEWAY_FAULTS: readonly Fault[] = [
  killed,
  stopped("longer than heartbeats", SOON_MS, QUICK),
  stopped("longer than NATS waits", 70_000),
  noFiles,
  clockSet("an hour forward", [3_600]),
  clockSet("two hours back", [-7_200], QUICK),
  clockSet("a day forward, and right again", [86_400, 0]),
];
