import { assertEquals } from "@std/assert";
import { eventOf, LiveGateway } from "./live_gateway.ts";

Deno.test("replay from the log tells no status that was never told", async () => {
  await using gw = await LiveGateway.start({ TAIL_EVENTS: "0" });
  await using live = await gw.connect("/ws?topics=task:status");
  await live.next("caught_up");
  await gw.append(
    eventOf("job1", "progress", { completed: 0 }), // 1 running
    eventOf("job1", "paused"), // 2 paused
    eventOf("job1", "progress", { completed: 1 }), // 3 no status change: still paused
    eventOf("job1", "resumed"), // 4 running
    eventOf("job1", "progress", { completed: 1 }), // 5 no status change
    eventOf("job1", "paused"), // 6 paused
  );
  await live.find((f) => f.type === "task_status" && f.seq === 6);
  const epoch = live.of("welcome")[0]?.data.epoch;
  await using back = await gw.connect(`/ws?topics=task:status&since=${epoch}:2`);
  await back.next("caught_up");
  const told = (c: typeof live) => c.of("task_status").map((f) => [f.seq, f.data.status]);
  assertEquals(told(back), told(live).filter(([seq]) => Number(seq) > 2));
});
