import { assertEquals } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { BareNats } from "./bare_nats.ts";
import { withGateway } from "./gateway_process.ts";

/** A CloudEvent of the task `ce`. */
function cloudEvent(id: string, kind: string, data: object): string {
  const type = `taskwire.task.${kind}`;
  return JSON.stringify({ specversion: "1.0", id, source: "/tests", type, subject: "ce", data });
}

Deno.test("CloudEvents over NATS and over HTTP make a task like any other, and its history tells the events in them", async () => {
  await using server = await startNatsServer({});
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:ce`);
    await client.next("caught_up");
    await using nats = await BareNats.connect(server.url);
    nats.publish("taskwire.task.ce.created", cloudEvent("1", "created", { name: "By an envelope" }));
    nats.publish("taskwire.task.ce.started", cloudEvent("2", "completed", {}));
    await nats.flush();
    const created = await client.next("task_status");
    assertEquals([created.data.status, created.data.name], ["pending", "By an envelope"]);
    for (const body of [cloudEvent("3", "completed", { result: 7 }), cloudEvent("3", "completed", {})]) {
      const response = await fetch(`${gateway.url}/api/events`, {
        method: "POST",
        headers: { "content-type": "application/cloudevents+json" },
        body,
      });
      assertEquals(response.status, 202);
      await response.body?.cancel();
    }
    const completed = await client.next("task_status");
    assertEquals([completed.data.status, completed.data.result], ["completed", 7]);
    const history = await client.request("get_history", { task_id: "ce" });
    if (history.type !== "task_history") throw new Error(JSON.stringify(history));
    assertEquals(history.data.events.map(({ kind, body }) => [kind, body]), [
      ["created", { name: "By an envelope" }],
      ["completed", { result: 7 }],
    ]);
    const rejected = await gateway.get("/api/rejected");
    assertEquals(
      (rejected as { items: { reason: string }[] }).items.map(({ reason }) => reason),
      ["type: must end in started, as the subject does"],
    );
  });
});
