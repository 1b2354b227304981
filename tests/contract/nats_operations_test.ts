import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { arbitraryOf, at, isObject, membersIn } from "./arbitrary_json.ts";
import { membersAt, objectAt } from "./documents.ts";
import { asyncApiFaults, DocumentJudge, type Json } from "./judges.ts";

/** What can be written to NATS: a subject, the message there may be under it, and what is in the place of its parameters. */
type Writing = {
  readonly key: string;
  readonly address: string;
  readonly subject: string;
  readonly taskId: string;
  readonly topic: string | undefined;
};

/** Every subject of the document, with each of its messages. */
function writingsOf(document: Json): readonly Writing[] {
  return Object.values(membersAt(document, "channels")).flatMap((channel, i) => {
    const address = String(channel["address"]);
    if (!address.startsWith("{prefix}.")) return [];
    return Object.keys(membersIn(channel["messages"])).map((key, j) => {
      const values = { prefix: "taskwire", task_id: `t${i}-${j}`, name: `n${i}`, key: "a" };
      const subject = address.replaceAll(/\{(\w+)\}/g, (_, name: keyof typeof values) => values[name]);
      const [, namespace = ""] = /^value\.(\w+)$/.exec(key) ?? [];
      const isAbout = address.includes("{task_id}");
      const topic = isAbout ? `task:id:${values.task_id}:${namespace}` : `${namespace}:${values.name}`;
      return { key, address, subject, taskId: values.task_id, topic: namespace === "" ? undefined : topic };
    });
  });
}

/** A body as the document has it; of a CloudEvent what has to fit the subject. */
function bodyOf({ key, subject, taskId }: Writing, document: Json): unknown {
  const pointer = `#/components/messages/${key}/payload`;
  const [body] = fc.sample(arbitraryOf(at(document, pointer), document), { numRuns: 1, seed: 7 });
  if (key !== "event.cloudevent") return body;
  const type = `taskwire.task.${subject.split(".").at(-1)}`;
  return { ...membersIn(body), type, subject: taskId, data: {}, time: undefined };
}

async function historyOf(gateway: GatewayProcess, taskId: string): Promise<readonly string[]> {
  const page: unknown = await gateway.get(`/api/tasks/${taskId}/events`).catch(() => undefined);
  const events = isObject(page) ? page["events"] : undefined;
  return Array.isArray(events) ? events.map(({ kind }) => String(kind)) : [];
}

Deno.test("whatever /asyncapi.json says may be written to NATS is taken there, under every subject, and nothing else", async () => {
  await using nats = await startNatsServer();
  const PLUGINS = "src/plugins/examples/task_log.ts,src/plugins/examples/group_progress.ts";
  await withGateway({ settings: { NATS_URL: nats.url, PLUGINS, MAX_TOPICS: "1000" } }, async (gateway) => {
    const document = objectAt(await gateway.get("/asyncapi.json"));
    assertEquals(asyncApiFaults(document), [], "with plug-ins too");
    const judge = new DocumentJudge(document, "draft-07");
    const writings = writingsOf(document);
    const operations = Object.keys(membersAt(document, "operations")).filter((name) =>
      name.startsWith("nats_")
    );
    assertEquals(new Set(writings.map(({ address }) => address)).size, operations.length);
    assert(writings.some(({ topic }) => topic?.endsWith(":log")), "the plug-in's are there");

    await using writer = await BareNats.connect(nats.url);
    const topics = writings.flatMap(({ topic }) => topic ?? []);
    await using client = await TestClient.connect(`${gateway.wsUrl}/ws`);
    const subscribed = await client.request("subscribe", { topics: [...new Set(topics)], replay: "none" });
    assertEquals(subscribed.type, "subscribed");
    for (const [i, writing] of writings.entries()) {
      const body = bodyOf(writing, document);
      const faults = judge.at(`#/components/messages/${writing.key}/payload`)(
        JSON.parse(JSON.stringify(body)),
      );
      assertEquals(faults, [], writing.key);
      const headers = { "Nats-Msg-Id": `${i}` };
      await writer.request(writing.subject, JSON.stringify(body), { headers });
      writer.publish(writing.subject, "no JSON");
    }
    await writer.flush();

    const updates = () =>
      client.frames.flatMap((frame) =>
        frame.type === "data_update" || frame.type === "strategy_update" || frame.type === "channel_update"
          ? [frame.data.topic]
          : []
      );
    await eventually("every value came", () => updates().length >= topics.length);
    assertEquals(updates().sort(), topics.sort());
    for (const { subject, taskId, topic } of writings) {
      if (topic !== undefined) continue;
      assertEquals(await historyOf(gateway, taskId), [String(subject.split(".").at(-1))], subject);
    }
    const rejected = objectAt(await gateway.get("/api/rejected"));
    assertEquals(rejected["total"], writings.length);
  });
});
