import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { UNTOLD } from "../../src/contract/json_schema.ts";
import { definePlugin, definePluginMessage } from "../../src/plugins/plugin.ts";
import { PATHS } from "../../src/protocol/topics.ts";
import { eventsOf } from "../../src/client/event_stream.ts";
import { PROTOCOLS } from "../../src/transport/handshake.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";
import { at, isObject } from "./arbitrary_json.ts";
import { asyncApiOf, membersAt, type Served } from "./documents.ts";
import type { Json } from "./judges.ts";
import { codeOf, RawClient, typeOf } from "./raw_client.ts";

/** What is asked under each type of message; what comes of it is what the document says. */
const ASKED: Readonly<Record<string, readonly unknown[]>> = {
  ping: [{}],
  subscribe: [
    { topics: ["task:status", "task:progress", "task:list"] },
    { topics: ["data:one", "strategy:one", "note:one"], replay: "all", max_rate_hz: 50 },
    { topics: ["task:id:t1"], since: { epoch: "another", seq: 1 } },
    { topics: ["task:nothing"] },
  ],
  unsubscribe: [{ topics: ["task:id:t1"] }],
  get_task: [{ task_id: "t1" }, { task_id: "t1", at: { seq: 1 } }, { task_id: "of_nobody" }],
  get_tasks: [{ limit: 2 }, { status: "running", at: { time: "2100-01-01T00:00:00Z" } }, { limit: 0 }],
  get_history: [{ task_id: "t1", limit: 1 }],
  cancel_task: [{ task_id: "t1", reason: "enough" }, { task_id: "of_nobody" }],
  publish: [
    { topic: "data:one", key: "a", payload: 1 },
    { topic: "strategy:one", payload: [null] },
    { topic: "note:one", payload: { text: "a" } },
  ],
  auth: [{ token: "of-anybody" }],
  count: [{ of: "all" }, {}],
};

/** The frames that may be sent on a path, and which of them answer a message of each type, as the document has it. */
function socketOf({ document }: Served, path: string): {
  readonly sent: readonly string[];
  readonly answers: ReadonlyMap<string, readonly string[]>;
} {
  const names = (messages: unknown): readonly string[] =>
    Array.isArray(messages)
      ? messages.map(({ $ref }) => String(at(document, `${$ref}/$ref`)).split("/").at(-1) ?? "")
      : [];
  const [name] =
    Object.entries(membersAt(document, "channels")).find(([, { address }]) => address === path) ?? [];
  const operations = Object.values(membersAt(document, "operations")).filter(({ channel }) =>
    isObject(channel) && channel["$ref"] === `#/channels/${name}`
  );
  const sent = operations.filter(({ action }) => action === "send").flatMap(({ messages }) =>
    names(messages)
  );
  const received = operations.filter(({ action }) => action === "receive");
  const answers = received.map(({ messages, reply }) =>
    [names(messages)[0] ?? "", isObject(reply) ? names(reply["messages"]) : []] as const
  );
  return { sent, answers: new Map(answers) };
}

/** Brings what nothing that is built in does: a namespace, and an answer of its own. */
const PLUGIN = definePlugin({
  name: "notes",
  namespaces: [{ name: "note", payload: v.object({ text: v.string() }) }],
  messages: [
    definePluginMessage({
      type: "count",
      schema: v.object({ of: v.pipe(v.string(), v.maxLength(9)) }),
      handle: async ({ of }, _asker, gateway) => ({ seq: await gateway.publish("note:two", { text: of }) }),
    }),
  ],
});

/** Asks everything, each answered as the document has it; resolves with what came for each type. */
async function askedAll(
  client: RawClient,
  { judge }: Served,
  answers: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const all = new Map<string, ReadonlySet<string>>();
  for (const [type, asked] of Object.entries(ASKED)) {
    const possible = answers.get(`client.${type}`) ?? [];
    const judged = judge.at(`#/components/messages/client.${type}/payload`);
    const told = new Set<string>();
    for (const data of asked) {
      const answer = await client.ask(type, data);
      const isRight = judged({ type, id: "1", data }).length === 0;
      assertEquals(isRight, codeOf(answer) !== "INVALID_MESSAGE", JSON.stringify(answer));
      told.add(`server.${typeOf(answer)}`);
    }
    assertEquals([...told].filter((key) => !possible.includes(key)), [], `answers to ${type}`);
    all.set(type, told);
  }
  return all;
}

/** Whether messages are frames that the document has for this path, each by its schema. */
function areAsSaid(messages: readonly Json[], { judge }: Served, sent: readonly string[]): void {
  for (const message of messages) {
    const key = `server.${typeOf(message)}`;
    assert(sent.includes(key), `${key} is not told of`);
    assertEquals(judge.at(`#/components/messages/${key}/payload`)(message), [], JSON.stringify(message));
  }
}

Deno.test("every frame in both directions is as /asyncapi.json says", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "300" });
  live.gateway.pipeline?.plugins.add(PLUGIN);
  const served = await asyncApiOf(live);
  const { sent, answers } = socketOf(served, "/ws");
  assertEquals([...answers.keys()].sort(), Object.keys(ASKED).map((type) => `client.${type}`).sort());
  await live.append(
    ...["t1", "t2", "t3"].flatMap((id) => [eventOf(id, "created", { tags: ["eu"] }), eventOf(id, "started")]),
  );
  await using client = await RawClient.connect(live.url("/ws?delta=1"), ["taskwire.v1.json"]);
  for (const [type, told] of await askedAll(client, served, answers)) {
    assert([...told].some((key) => key !== "server.error"), `${type} was answered`);
  }
  let completed = 0;
  await eventually("a change of progress comes", async () => {
    await live.append(eventOf("t2", "progress", { total: 1_000, completed: ++completed }));
    return client.types.has("progress_delta");
  });
  await live.append(eventOf("t2", "completed"));
  await eventually(
    "the last event comes",
    () => client.messages.some((message) => JSON.stringify(message).includes(`"status":"completed"`)),
  );
  await live.gateway.drain();
  areAsSaid(client.messages, served, sent);
  assertEquals([...client.types].map((type) => `server.${type}`).sort(), [...sent].sort());
  assertEquals(live.incidents, []);
});

Deno.test("on every path each message of a client is answered, as /asyncapi.json says of that path, in JSON and in CBOR", async () => {
  await using live = await LiveGateway.start();
  live.gateway.pipeline?.plugins.add(PLUGIN);
  const served = await asyncApiOf(live);
  await live.append(eventOf("t1", "started"));
  for (const path of PATHS.keys()) {
    const { sent, answers } = socketOf(served, path);
    for (const protocol of PROTOCOLS.keys()) {
      await using client = await RawClient.connect(live.url(path), [protocol]);
      const all = await askedAll(client, served, answers);
      assertEquals([...answers.keys()].sort(), [...all.keys()].map((type) => `client.${type}`).sort());
      areAsSaid(client.messages, served, sent);
    }
  }
  assertEquals(live.incidents, []);
});

Deno.test("what a stream sends is what /asyncapi.json has for the server", async () => {
  await using live = await LiveGateway.start();
  const served = await asyncApiOf(live);
  await live.append(eventOf("t1", "progress", { total: 3, completed: 1 }));
  await live.gateway.publish("data:one", { close: 1 }, "a");
  const topics = "task:progress,task:status,task:list,data:one,strategy:one";
  const response = await fetch(`http://127.0.0.1:${live.port}/api/stream?topics=${topics}&max_rate_hz=50`);
  assert(response.body !== null);
  const frames: Json[] = [];
  for await (const { event, data } of eventsOf(response.body)) {
    const frame: unknown = event === "" ? undefined : JSON.parse(data);
    if (isObject(frame)) frames.push(frame);
    if (event === "caught_up") break;
  }
  const types = new Set(frames.map(typeOf));
  for (const type of ["welcome", "task_progress", "task_status", "task_list", "data_update"]) {
    assert(types.has(type), type);
  }
  areAsSaid(frames, served, socketOf(served, "/ws").sent);
});

Deno.test("what does not come on a path is not there in /asyncapi.json", async () => {
  await using live = await LiveGateway.start();
  const served = await asyncApiOf(live);
  const own = (path: string): readonly string[] =>
    socketOf(served, path).sent.filter((key) => /(?:_update|task_progress)$/.test(key)).sort();
  assertEquals(own("/ws/task"), ["server.task_progress"]);
  assertEquals(own("/ws/data"), ["server.data_update"]);
  assertEquals(own("/ws/strategy"), ["server.strategy_update"]);
  assertEquals(own("/ws").length, 4);
});

Deno.test("what a plug-in brings is in /asyncapi.json while it is there", async () => {
  await using live = await LiveGateway.start();
  const { plugins } = live.gateway.pipeline ?? {};
  assert(plugins !== undefined);
  const keys = async (): Promise<readonly string[]> => {
    const { document } = await asyncApiOf(live);
    return Object.keys(membersAt(document, "components", "messages"));
  };
  const before = await keys();
  plugins.add(PLUGIN);
  assertEquals((await keys()).filter((key) => !before.includes(key)).sort(), ["client.count", "value.note"]);
  const { document, judge } = await asyncApiOf(live);
  const count = judge.at("#/components/messages/client.count/payload");
  assertEquals(count({ type: "count", id: "1", data: { of: "all" } }), []);
  assertEquals(count({ type: "count", id: "1" }).length, 1);
  assertEquals(judge.at("#/components/messages/value.note/payload")({ text: 1 }).length, 1);
  assert(JSON.stringify(document["x-topics"]).includes("note:<name>"));
  plugins.remove("notes");
  assertEquals(await keys(), before);
});

Deno.test("a plug-in of which JSON Schema cannot say all hinders nobody", async () => {
  await using live = await LiveGateway.start();
  const odd = v.pipe(v.object({ n: v.number() }), v.check(({ n }) => n % 2 === 1, "must be odd"));
  const message = definePluginMessage({ type: "odd", schema: odd, handle: () => ({}) });
  live.gateway.pipeline?.plugins.add(definePlugin({ name: "odd", messages: [message] }));
  const { document } = await asyncApiOf(live);
  const said = at(document, "#/components/messages/client.odd/payload/properties/data/description");
  assert(String(said).startsWith(UNTOLD), `${said}`);
  live.gateway.pipeline?.plugins.remove("odd");
  const { document: without } = await asyncApiOf(live);
  assert(!JSON.stringify(without).includes(UNTOLD), "all that is built in is told");
});
