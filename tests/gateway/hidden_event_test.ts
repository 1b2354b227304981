import { assertEquals } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { eventually } from "../eventually.ts";
import { BareNats } from "./bare_nats.ts";
import { withGateway } from "./gateway_process.ts";

Deno.test("rubbish that is the last of its kind hides nothing from a gateway that starts on it", async () => {
  await using server = await startNatsServer();
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using nats = await BareNats.connect(server.url);
    nats.publish("taskwire.task.good.progress", '{"total":4,"completed":1}');
    nats.publish("taskwire.task.good.completed", '{"result":1}');
    nats.publish("taskwire.task.good.progress", "rubbish");
    nats.publish("taskwire.task.good.completed", "[]");
    nats.publish("taskwire.task..completed", "{}");
    await nats.flush();
    await eventually("it is followed", async () => await gateway.metric("taskwire_log_followed") >= 4);
    const before = await gateway.get("/api/tasks/good") as {
      status: string;
      progress: { percentage: number };
    };
    assertEquals([before.status, before.progress.percentage], ["completed", 25]);
    await gateway.kill();
    await gateway.start();
    assertEquals(await gateway.get("/api/tasks/good"), before);
    assertEquals((await gateway.get("/api/tasks") as { total: number }).total, 1);
  });
});
