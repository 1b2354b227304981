import { assert, assertEquals } from "@std/assert";
import { SseClient } from "../sse_client.ts";
import { type Frame, TestClient } from "../websocket_client.ts";
import { ChildGateway } from "./child_gateway.ts";
import { type Change, flowChanges, lastProgress } from "./flow.ts";

const TOPICS = "task:progress,task:status";

/** What a client was told: every status change, and what the newest progress of each task says. */
function told(frames: readonly Frame[]): { changes: Change[]; progress: ReadonlyMap<string, number> } {
  const changes: Change[] = [];
  const progress = new Map<string, number>();
  for (const frame of frames) {
    if (frame.type === "task_progress") {
      const { task_id: taskId, progress: { completed } } = frame.data;
      assert(completed >= (progress.get(taskId) ?? 0), "progress never goes back");
      progress.set(taskId, completed);
    }
    if (frame.type === "task_status" && frame.data.task_id !== "end") {
      const { task_id: taskId, status } = frame.data;
      if (status === "completed") {
        assertEquals(progress.get(taskId), lastProgress().get(taskId), "before the end");
      }
      changes.push({ seq: frame.seq ?? 0, taskId, status });
    }
  }
  return { changes, progress };
}

Deno.test("a client that never reads is not cut off and not buffered for, and misses nothing when it reads again", async () => {
  // Enough of what is recent in memory for the whole flow: some 40 MB.
  await using gateway = await ChildGateway.start({ TAIL_BYTES: "200000000" });
  // Each holds topics of its own, so that none shares with another what it is sent.
  const slow = await Promise.all(Array.from({ length: 10 }, async (_, i) => {
    const client = await TestClient.connect(gateway.url(`/ws?topics=${TOPICS},task:id:nobody${i}`));
    await client.next("caught_up");
    client.pause();
    return client;
  }));
  await using bystander = await TestClient.connect(gateway.url(`/ws?topics=${TOPICS}`));
  await bystander.next("caught_up");

  const before = await gateway.memory();
  const end = await gateway.flow();
  const isEnd = (frame: Frame | undefined) => frame?.type === "task_status" && frame.seq === end;
  await bystander.until((frames) => isEnd(frames.at(-1)), "the end");
  const grown = await gateway.memory() - before;
  assert(grown < 100_000_000, `${grown} bytes more, where ten clients are owed 20 MB each`);

  for (const client of slow) client.resume();
  for (const client of [bystander, ...slow]) {
    await client.until((frames) => isEnd(frames.at(-1)), "the end");
    assertEquals(told(client.frames), { changes: flowChanges(), progress: lastProgress() });
    assertEquals(client.isClosed, false);
    await client.close();
  }
});

Deno.test("a stream that is not read is not cut off and not buffered for, and misses nothing when it is read again", async () => {
  await using gateway = await ChildGateway.start({ TAIL_BYTES: "200000000" });
  const url = (extra: string) => `http://127.0.0.1:${gateway.port}/api/stream?topics=${TOPICS}${extra}`;
  await using streams = new AsyncDisposableStack();
  const slow = await Promise.all(
    Array.from(
      { length: 10 },
      async (_, i) => streams.use(await SseClient.connect(url(`,task:id:nobody${i}`))),
    ),
  );
  const bystander = streams.use(await SseClient.connect(url("")));
  for (const stream of [bystander, ...slow]) await stream.caughtUp();
  for (const stream of slow) stream.pause();

  const before = await gateway.memory();
  const end = await gateway.flow();
  const isAtEnd = ({ events }: SseClient): boolean => {
    const last = events.at(-1)?.frame;
    return last?.type === "task_status" && last.seq === end;
  };
  await bystander.until("the end", () => isAtEnd(bystander), 30_000);
  const grown = await gateway.memory() - before;
  assert(grown < 100_000_000, `${grown} bytes more, where ten streams are owed 20 MB each`);
  assert(slow.every((stream) => !isAtEnd(stream)), "they are behind");

  for (const stream of slow) stream.resume();
  for (const stream of [bystander, ...slow]) {
    await stream.until("the end", () => isAtEnd(stream), 30_000);
    assertEquals(told(stream.frames), { changes: flowChanges(), progress: lastProgress() });
    assertEquals(stream.isOver, false);
  }
});
