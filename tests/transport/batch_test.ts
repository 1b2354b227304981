import { assert, assertEquals } from "@std/assert";
import { eventOf, LiveGateway } from "./live_gateway.ts";

const TASKS = 40;

/** A gateway with as many tasks as make a flush, and a snapshot, of many frames. */
async function withTasks(): Promise<LiveGateway> {
  const live = await LiveGateway.start();
  await live.append(
    ...Array.from({ length: TASKS }, (_, i) => eventOf(`job${i}`, "progress", { completed: 1 })),
  );
  return live;
}

const TOPICS = "topics=task:progress,task:status";

Deno.test("who asks for batches gets several frames in one message, in order, and the protocol echoed", async () => {
  await using live = await withTasks();
  const asked = [
    { path: `/ws?batch=1&${TOPICS}`, protocols: [], echoed: "" },
    { path: `/ws?${TOPICS}`, protocols: ["taskwire.v1.json"], echoed: "taskwire.v1.json" },
    { path: `/ws/task?${TOPICS}`, protocols: ["other", "taskwire.v1.json"], echoed: "taskwire.v1.json" },
  ];
  for (const { path, protocols, echoed } of asked) {
    await using plain = await live.connect(`/ws?${TOPICS}`);
    await using client = await live.connect(path, { protocols });
    await Promise.all([client.next("caught_up"), plain.next("caught_up")]);
    const seq = await live.append(...Array.from({ length: TASKS }, (_, i) => eventOf(`job${i}`, "paused")));
    for (const one of [client, plain]) await one.find((frame) => "seq" in frame && frame.seq === seq);
    assertEquals(client.protocol, echoed);
    assert(client.counts.batches >= 2, "the snapshot and the flush");
    assert(client.counts.messages < plain.counts.messages / 4, JSON.stringify([client.counts, plain.counts]));
    assertEquals(client.frames.slice(1).map(({ type, id }) => type === "task_status" ? id : type), [
      ...plain.frames.slice(1).map(({ type, id }) => type === "task_status" ? id : type),
    ]);
    assertEquals(
      client.of("task_status").slice(-TASKS).map((frame) => frame.seq),
      sequence(seq - TASKS + 1, TASKS),
    );
  }
});

Deno.test("who asks for none never gets a batch", async () => {
  await using live = await withTasks();
  for (const query of ["", "batch=0&", "batch=true&"]) {
    await using client = await live.connect(`/ws?${query}${TOPICS}`);
    await client.next("caught_up");
    const seq = await live.append(...Array.from({ length: TASKS }, (_, i) => eventOf(`job${i}`, "resumed")));
    await client.find((frame) => "seq" in frame && frame.seq === seq);
    assertEquals([client.counts.batches, client.counts.messages], [0, client.frames.length]);
    assertEquals(client.protocol, "");
  }
});

Deno.test("a frame that comes alone is no batch, where batches were asked for too", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect("/ws?batch=1");
  assertEquals((await client.request("ping")).type, "pong");
  assertEquals(client.counts, { messages: 2, batches: 0, binary: 0 });
});

function sequence(first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => first + i);
}
