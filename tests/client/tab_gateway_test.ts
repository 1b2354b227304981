import { assert, assertEquals } from "@std/assert";
import { TabGateway } from "../../src/client/tab_gateway.ts";
import { openLink } from "../../src/client/tab_link.ts";
import type { Asking, SharedClient } from "../../src/client/tab_sharing.ts";
import type { PushedFrame } from "../../src/client/watch.ts";
import { settled } from "../connection/world.ts";
import { ManualClock } from "../router/manual_clock.ts";
import { Browser } from "./tab_browser.ts";

const MIB = 1024 * 1024;

/** A client of a leader whose one watch a test tells of what it wants. */
function clientOf(watches: Asking[]): SharedClient {
  return {
    state: { kind: "open" },
    cursor: { epoch: "e", seq: 60_000 },
    isLate: false,
    onState: () => () => {},
    subscribe: () => ({ unsubscribe: () => {} }),
    watch: (watch) => {
      watches.push(watch);
      return { unsubscribe: () => {} };
    },
    resume: (askings) => askings.map(() => ({ unsubscribe: () => {} })),
    ask: () => Promise.resolve(undefined),
    getTasks: () => Promise.resolve({ tasks: [], total: 0 }),
    anew: () => {},
    late: () => {},
    tellState: () => {},
  };
}

function frameOf(seq: number, weight: number): PushedFrame {
  const data = {
    topics: ["x".repeat(weight)],
    missed_from: 1,
    missed_to: seq,
    reason: "epoch",
    epoch: "e",
  } as const;
  return { type: "gap", id: "gap", timestamp: 0, data };
}

/** A gateway of a tab with one link that watches something, and what is done with it. */
async function serving() {
  const watches: Asking[] = [];
  const done = { stuck: 0, heard: 0, ends: [] as string[] };
  const gateway = new TabGateway(clientOf(watches), {
    hear: (_, text) => done.heard += text.length,
    end: (link, how) => done.ends.push(`${link} ${how}`),
    watch: () => () => {},
    turned: () => {},
    stuck: () => done.stuck++,
  });
  gateway.open("link");
  gateway.said(
    "link",
    JSON.stringify({ type: "subscribe", id: "s", data: { topics: ["task:list"], replay: "none" } }),
  );
  await settled();
  const watch = watches.find(({ topics }) => topics.length > 0);
  assert(watch !== undefined);
  const tell = async (mib: number): Promise<void> => {
    for (let i = 0; i < mib; i++) watch.onFrame(frameOf(i, MIB));
    await settled();
  };
  return { gateway, done, tell };
}

Deno.test("of what a tab does not take no more than so much waits for it: then the others are served elsewhere", async () => {
  const { gateway, done, tell } = await serving();
  await tell(65);
  assertEquals(done.stuck, 0);
  await tell(1);
  assertEquals([done.stuck, done.heard > 66 * MIB], [1, true]);
  gateway.close();
});

Deno.test("what a tab says that it took does not wait for it any more", async () => {
  const { gateway, done, tell } = await serving();
  for (let i = 0; i < 3; i++) {
    await tell(40);
    gateway.said("link", "");
  }
  await tell(1);
  assertEquals(done.stuck, 0);
  gateway.close();
});

Deno.test("a tab says that it takes what comes, by how much it took and not by time", () => {
  const browser = new Browser(new ManualClock());
  const [leader, tab] = [browser.open(), browser.open()];
  const frames = new leader.BroadcastChannel("frames");
  const posted: string[] = [];
  const heard: number[] = [];
  const link = openLink({
    page: tab,
    leader: "leader",
    channel: "frames",
    post: ([kind, , , text]) => posted.push(`${kind} ${text}`),
    message: (text) => heard.push(text.length),
    ended: () => {},
  });
  browser.clock.advance(10);
  assertEquals(posted, ["open "]);
  const id = browser.locks[0] ?? "";
  for (let i = 0; i < 5; i++) {
    frames.postMessage(["hear", "leader", `other ${id}`, "x".repeat(MIB / 2)]);
    frames.postMessage(["hear", "leader", "other", "not for it"]);
    browser.clock.advance(10);
  }
  assertEquals([posted, heard], [["open ", "say "], Array(5).fill(MIB / 2)]);
  link.close();
  frames.close();
});

Deno.test("who was away for very long, or goes on in another life of the stream, is told over a connection of its own", async () => {
  const { gateway, done } = await serving();
  const cursors = [["e", 60_000], ["e", 10_000], ["e", 9_999], ["f", 60_000]] as const;
  for (const [i, [epoch, seq]] of cursors.entries()) {
    gateway.open(`link-${i}`);
    const data = { topics: ["task:list"], since: { epoch, seq } };
    gateway.said(`link-${i}`, JSON.stringify({ type: "subscribe", id: "s", data }));
  }
  await settled();
  assertEquals(done.ends, ["link-2 alone", "link-3 alone"]);
  gateway.close();
});
