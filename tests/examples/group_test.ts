import { assertEquals } from "@std/assert";
import { group } from "../../src/examples/group.ts";
import { connectPublisher, connectWorker } from "../../src/worker/task_reporter.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { TestClient } from "../websocket_client.ts";

const EXAMPLES = "src/plugins/examples";
const PLUGINS = `${EXAMPLES}/group_progress.ts,${EXAMPLES}/task_log.ts`;

Deno.test("a group moves by its parts to its end, and what failed and was tried again is in that part's log", async () => {
  await withGateway({ settings: { PLUGINS } }, async (gateway) => {
    await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:r:progress&batch=1`);
    await client.next("caught_up");
    await using publisher = await connectPublisher(gateway.url);
    await using worker = await connectWorker(gateway.url, { progressIntervalMs: 20 });
    await using parent = await connectWorker(gateway.url, { heartbeatMs: 0 });
    assertEquals(await group({ worker, parent, publisher }, { id: "r", lengthMs: 1_000 }), { parts: 6 });
    const told = client.of("task_progress").flatMap(({ data }) => data.progress.percentage ?? []);
    assertEquals(told.some((percentage) => percentage > 0 && percentage < 100), true);
    const { status, progress } = await gateway.get("/api/tasks/r") as {
      status: string;
      progress: { percentage: number; completed: number };
    };
    assertEquals([status, progress.percentage, progress.completed], ["completed", 100, 4]);
    const answer = await client.request("read_log", { task_id: "r-browser", level: "error" });
    const { lines } = (answer.type === "result" ? answer.data : {}) as { lines?: { text: string }[] };
    assertEquals(lines?.map(({ text }) => text.split("\n")[0]), ["page 20: the browser is gone"]);
  });
});
