import * as v from "valibot";
import { assert, assertEquals } from "@std/assert";
import { LineProcess } from "./line_process.ts";
import { type Opening, Receiver } from "./receiver.ts";
import { withBroadcaster } from "./broadcaster.ts";

const CORE = 0;

/** Clients of a server that sends what it is told. */
function opening(port: number, more: Partial<Opening> = {}): Opening {
  return {
    port,
    path: "/",
    count: 3,
    dialect: "websocket",
    hello: [],
    openAfter: 0,
    read: "count",
    ...more,
  };
}

Deno.test("the receiver counts every frame of every connection", async () => {
  await withBroadcaster(async ({ port, broadcast }) => {
    await using receiver = await Receiver.start(CORE);
    await receiver.connect("all", opening(port, { until: { frames: 50 } }));
    await receiver.start();
    for (let i = 0; i < 50; i++) broadcast(`{"n":${i}}`.padEnd(100 + 10 * i));
    const { all } = await receiver.reached("all", 5_000);
    const { frames, fewest, most, ended, frameBytes } = (await receiver.report()).groups["all"] ?? {};
    assertEquals(
      { all, frames, fewest, most, ended, frameBytes },
      { all: true, frames: 150, fewest: 50, most: 50, ended: [], frameBytes: 590 },
    );
  });
});

Deno.test("the receiver finds status changes that are missing, double or out of order", async () => {
  await withBroadcaster(async ({ port, broadcast }) => {
    await using receiver = await Receiver.start(CORE);
    await receiver.connect("all", opening(port, { count: 1, read: "statuses", until: { statuses: 5 } }));
    await receiver.start();
    for (const seq of [11, 12, 15, 12, 16]) broadcast(`{"type":"task_status","seq":${seq}}`);
    broadcast('{"type":"task_progress","seq":17}');
    await receiver.reached("all", 5_000);
    const { statuses } = (await receiver.report()).groups["all"] ?? {};
    assertEquals(statuses, { total: 5, fewest: 5, doubles: 1, holes: 2 });
  });
});

Deno.test("who does not read gets nothing, and all of it when reading again", async () => {
  await withBroadcaster(async ({ port, broadcast }) => {
    await using receiver = await Receiver.start(CORE);
    await receiver.connect("slow", opening(port, { until: { frames: 20 } }));
    await receiver.connect("quick", opening(port, { until: { frames: 20 } }));
    await receiver.reading("slow", false);
    await receiver.start();
    for (let i = 0; i < 20; i++) broadcast("x".repeat(1_000));
    assertEquals((await receiver.reached("quick", 5_000)).all, true);
    assertEquals((await receiver.report()).groups["slow"]?.frames, 0);
    await receiver.reading("slow", true);
    assertEquals((await receiver.reached("slow", 5_000)).all, true);
  });
});

Deno.test("positions are noted with when they came, on the clock of all processes", async () => {
  await withBroadcaster(async ({ port, broadcast }) => {
    await using receiver = await Receiver.start(CORE);
    await receiver.connect("sampled", opening(port, { count: 1, read: "positions", until: { frames: 2 } }));
    await receiver.start();
    broadcast('{"type":"task_progress","data":{},"seq":5}');
    broadcast('{"type":"task_status","data":{},"seq":6}');
    const { atMs } = await receiver.reached("sampled", 5_000);
    const [sample] = (await receiver.report()).groups["sampled"]?.samples ?? [];
    assertEquals(sample?.positions, [5, 6]);
    assertEquals(sample?.timesMs.at(-1), atMs);
  });
});

Deno.test("who comes back has the cursor of the one whose place it takes", async () => {
  await withBroadcaster(async ({ port, broadcast, asked }) => {
    await using receiver = await Receiver.start(CORE);
    await receiver.connect("before", opening(port, { count: 1, read: "statuses", until: { statuses: 1 } }));
    broadcast('{"type":"task_status","seq":41}');
    await receiver.reached("before", 5_000);
    await receiver.close("before");
    await receiver.connect(
      "after",
      opening(port, { count: 1, path: "/?c={i}:{last}", comesBackAs: "before" }),
    );
    assertEquals(asked, ["/", "/?c=1000:41"]);
  });
});

Deno.test("the floor writes to every connection alike", async () => {
  await using floor = await LineProcess.start("floor.ts", {
    core: CORE,
    args: ["3", "300", "2"],
    greets: true,
  });
  const { port } = v.parse(v.object({ port: v.number() }), floor.hello);
  await using receiver = await Receiver.start(CORE);
  await receiver.connect("all", opening(port, { until: { frames: 100 } }));
  assertEquals((await receiver.reached("all", 5_000)).all, true);
  const { frameBytes, ended } = (await receiver.report()).groups["all"] ?? {};
  assertEquals({ frameBytes, ended }, { frameBytes: 300, ended: [] });
});

Deno.test("who cannot connect is told so", async () => {
  await using receiver = await Receiver.start(CORE);
  const port = closedPort();
  const failure = await receiver.connect("none", opening(port)).then(() => undefined, String);
  assert(failure?.includes("0 of 3 connections were opened: nobody listens"), failure);
});

/** A port on which nobody listens. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

Deno.test("the receiver finds every position of messages that hold several frames, deflated or not", async () => {
  await withBroadcaster(async ({ port, broadcast }) => {
    await using receiver = await Receiver.start(CORE);
    const looked = {
      count: 1,
      read: "positions",
      batches: true,
      compress: true,
      until: { frames: 3 },
    } as const;
    await receiver.connect("all", opening(port, looked));
    await receiver.start();
    broadcast('{"type":"batch","frames":[{"seq":7},{"seq":8}]}');
    broadcast(`{"type":"batch","frames":[{"seq":9,"data":"${"x".repeat(3_000)}"},{"seq":12}]}`);
    broadcast('{"seq":13}');
    assertEquals((await receiver.reached("all", 5_000)).all, true);
    const { samples, bytes = NaN } = (await receiver.report()).groups["all"] ?? {};
    assertEquals(samples?.map(({ positions }) => positions), [[7, 8, 9, 12, 13]]);
    assert(bytes < 1_000, `${bytes} bytes are not deflated`);
  }, { perMessageDeflate: { serverNoContextTakeover: true, threshold: 1_024 } });
});
