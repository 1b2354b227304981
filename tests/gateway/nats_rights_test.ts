import { assertEquals, assertStringIncludes } from "@std/assert";
import { connectPublisher } from "../../src/worker/publisher.ts";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { BareNats } from "./bare_nats.ts";
import { withGateway } from "./gateway_process.ts";

const PASSWORD = "of-this-test-only";
const WORKER = { user: "worker", pass: PASSWORD };
const PUBLISHER = { user: "publisher", pass: PASSWORD };

/** The committed rights, with passwords: what `nats-server` would take from its environment. */
async function rights(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../deploy/nats-accounts.conf", import.meta.url));
  const passwords = ["GATEWAY", "WORKER", "PUBLISHER", "ADMIN"].map((who) =>
    `TASKWIRE_${who}_PASSWORD: "${PASSWORD}"`
  );
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

    await t.step(
      "values that a publisher has acknowledged reach a client, by our publisher and by hand",
      async () => {
        await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=data:candles,strategy:s1`);
        await client.next("caught_up");
        const told: string[] = [];
        const onTrouble = ({ message }: Error) => void told.push(message);
        {
          const as = { user: "publisher", password: PASSWORD, onTrouble };
          await using publisher = await connectPublisher(nats.url, as);
          await publisher.publish("data:candles", { close: 42150.5 }, "BTCUSDT");
        }
        assertEquals((await client.next("data_update")).data.payload, { close: 42150.5 });
        await using byHand = await BareNats.connect(nats.url, PUBLISHER);
        await byHand.request("taskwire.strategy.s1", { equity: 1 });
        await worker.request("taskwire.data.~task.log.a", { text: "row 1" });
        assertEquals((await client.next("strategy_update")).data.payload, { equity: 1 });
        assertEquals(told, []);
      },
    );

    await t.step(
      "a publisher writes no event, a worker no value but those about tasks, and neither reads one",
      async () => {
        await using publisher = await BareNats.connect(nats.url, PUBLISHER);
        const refused = [
          [publisher, "taskwire.task.a.completed"],
          [publisher, "taskwire.data.~task.log.a"],
          [publisher, "taskwire.gateway.x.ticket"],
          [publisher, "$JS.API.STREAM.PURGE.TASKWIRE"],
          [publisher, "$JS.API.DIRECT.GET.TASKWIRE.taskwire.data.candles.BTCUSDT"],
          [publisher, "$JS.API.DIRECT.GET.TASKWIRE.taskwire.task.a.cancel_requested"],
          [worker, "taskwire.data.candles.BTCUSDT"],
          [worker, "taskwire.strategy.s1"],
        ] as const;
        for (const [who, subject] of refused) {
          const said = await who.refusal((nats) => nats.publish(subject, "{}"));
          assertStringIncludes(said, "Permissions Violation for Publish", subject);
        }
        for (const subject of ["taskwire.data.>", "taskwire.task.*.cancel_requested", ">"]) {
          const said = await publisher.refusal((nats) => void nats.first(subject));
          assertStringIncludes(said, "Permissions Violation for Subscription", subject);
        }
      },
    );

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

    await t.step(
      "what a worker or a publisher has answers sent to is a subject of its own, and nobody else's",
      async () => {
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
        await using publisher = await BareNats.connect(nats.url, PUBLISHER);
        for (
          const reply of ["$JS.API.STREAM.PURGE.TASKWIRE", "taskwire.task.a.completed", "_INBOX_gateway.x"]
        ) {
          publisher.publish("taskwire.data.evil", "{}", { reply });
        }
        // What was acknowledged came after those.
        await publisher.request("taskwire.data.evil", {});
        await worker.request("taskwire.task.evil.started", {});
        await using admin = await BareNats.connect(nats.url, { user: "admin", pass: PASSWORD });
        const { body } = await admin.request("$JS.API.STREAM.INFO.TASKWIRE", { subjects_filter: ">" });
        const { state } = JSON.parse(new TextDecoder().decode(body));
        assertEquals([state.first_seq, state.num_deleted], [1, undefined]);
        assertEquals(state.subjects, {
          "taskwire.task.a.started": 1,
          "taskwire.task.a.cancel_requested": 1,
          "taskwire.task.evil.cancel_requested": 4,
          "taskwire.task.evil.started": 5,
          "taskwire.data.candles.BTCUSDT": 1,
          "taskwire.data.~task.log.a": 1,
          "taskwire.data.evil": 4,
          "taskwire.strategy.s1": 1,
        });
        assertEquals(isRead, false);
      },
    );

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
