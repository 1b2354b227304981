import { assertEquals, assertStringIncludes } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { BareNats } from "./bare_nats.ts";
import { withGateway } from "./gateway_process.ts";

const PASSWORD = "of-this-test-only";
const WORKER = { user: "worker", pass: PASSWORD };

/** The committed rights, with passwords: what `nats-server` would take from its environment. */
async function rights(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../deploy/nats-accounts.conf", import.meta.url));
  const passwords = ["GATEWAY", "WORKER", "ADMIN"].map((who) => `TASKWIRE_${who}_PASSWORD: "${PASSWORD}"`);
  return [...passwords, text].join("\n");
}

Deno.test("the committed rights are enough for gateways and workers, and for nothing else", async (t) => {
  await using nats = await startNatsServer({ config: await rights() });
  const settings = {
    NATS_URL: nats.url,
    NATS_USER: "gateway",
    NATS_PASSWORD: PASSWORD,
    NATS_INBOX_PREFIX: "_INBOX_gateway",
  };
  await withGateway({ settings }, async (gateway) => {
    await using worker = await BareNats.connect(nats.url, WORKER);

    await t.step("an event that a worker has acknowledged reaches a client", async () => {
      await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:status`);
      await client.next("subscribed");
      const { body } = await worker.request("taskwire.task.a.started", {});
      assertStringIncludes(new TextDecoder().decode(body), `"seq":1`);
      assertEquals((await client.next("task_status")).data.status, "running");
    });

    await t.step("a request to cancel is seen by the worker", async () => {
      const seen = worker.first("taskwire.task.a.cancel_requested");
      await worker.flush();
      const answer = await fetch(`${gateway.url}/api/tasks/a/cancel`, { method: "POST" });
      await answer.body?.cancel();
      assertEquals(answer.status, 202);
      assertEquals((await seen).subject, "taskwire.task.a.cancel_requested");
    });

    await t.step("a gateway that starts anew reads all of it", async () => {
      await gateway.kill();
      await gateway.start();
      const { events }: { events: { kind: string }[] } =
        await (await fetch(`${gateway.url}/api/tasks/a/events`)).json();
      assertEquals(events.map(({ kind }) => kind), ["started", "cancel_requested"]);
    });

    await t.step("a worker reads nothing of others and changes no stream", async () => {
      for (
        const subject of [
          "$JS.API.STREAM.DELETE.TASKWIRE",
          "$JS.API.STREAM.PURGE.TASKWIRE",
          "$JS.API.STREAM.MSG.GET.TASKWIRE",
          "$JS.API.CONSUMER.CREATE.TASKWIRE.spy",
          "$JS.API.DIRECT.GET.TASKWIRE.taskwire.task.a.started",
          "taskwire.gateway.x.ticket",
        ]
      ) {
        const said = await worker.refusal((nats) => nats.publish(subject, "{}"));
        assertStringIncludes(said, "Permissions Violation for Publish", subject);
      }
      for (const subject of ["taskwire.>", "taskwire.task.*.progress", "_INBOX_gateway.>", ">"]) {
        const said = await worker.refusal((nats) => void nats.first(subject));
        assertStringIncludes(said, "Permissions Violation for Subscription", subject);
      }
    });

    await t.step("a worker finds a request to cancel that came before it listened", async () => {
      const asked = await worker.request(`$JS.API.DIRECT.GET.TASKWIRE.taskwire.task.a.cancel_requested`);
      assertEquals(asked.status, "");
      const never = await worker.request(`$JS.API.DIRECT.GET.TASKWIRE.taskwire.task.b.cancel_requested`);
      assertEquals(never.status, "404");
    });

    await t.step("what a worker has answers sent to is a subject of its own, and nobody else's", async () => {
      // JetStream sends what it was asked for wherever the question says: whatever it may, the worker would.
      const sentTo = async (reply: string, body: object) => {
        await worker.request("taskwire.task.evil.cancel_requested", body);
        worker.publish("$JS.API.DIRECT.GET.TASKWIRE.taskwire.task.evil.cancel_requested", "", { reply });
        worker.publish("taskwire.task.evil.started", "{}", { reply });
        await worker.flush();
      };
      const spy = { deliver_subject: "_INBOX.spy", ack_policy: "none", deliver_policy: "all" };
      let isRead = false;
      void worker.first("_INBOX.spy").then(() => isRead = true);
      await sentTo("$JS.API.CONSUMER.CREATE.TASKWIRE", { stream_name: "TASKWIRE", config: spy });
      await sentTo("$JS.API.STREAM.MSG.DELETE.TASKWIRE", { seq: 1 });
      await sentTo("$JS.API.STREAM.PURGE.TASKWIRE", { filter: "taskwire.task.a.>" });
      await sentTo("taskwire.data.x", {});
      await using admin = await BareNats.connect(nats.url, { user: "admin", pass: PASSWORD });
      const { body } = await admin.request("$JS.API.STREAM.INFO.TASKWIRE", {
        subjects_filter: "taskwire.data.>",
      });
      const { state } = JSON.parse(new TextDecoder().decode(body));
      assertEquals({ first: state.first_seq, deleted: state.num_deleted, data: state.subjects }, {
        first: 1,
        deleted: undefined,
        data: undefined,
      });
      assertEquals(isRead, false);
    });

    await t.step("a gateway deletes and purges nothing", async () => {
      await using gatewaysUser = await BareNats.connect(nats.url, { user: "gateway", pass: PASSWORD });
      for (const operation of ["STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.UPDATE"]) {
        const said = await gatewaysUser.refusal((nats) =>
          nats.publish(`$JS.API.${operation}.TASKWIRE`, "{}")
        );
        assertStringIncludes(said, "Permissions Violation for Publish", operation);
      }
    });
  });
});
