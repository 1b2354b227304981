import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as v from "valibot";
import { definePlugin, definePluginMessage, type Plugin, PluginError } from "../../src/plugins/plugin.ts";
import type { Namespace } from "../../src/channel/namespace.ts";
import type { ErrorCode } from "../../src/protocol/error_codes.ts";
import { eventually } from "../eventually.ts";
import { TestClient } from "../websocket_client.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

const echo = definePluginMessage({
  type: "echo",
  schema: v.object({ text: v.string(), how: v.optional(v.picklist(["throw", "refuse", "hang", "block"])) }),
  async handle({ text, how }) {
    if (how === "throw") throw new Error("a secret of the plug-in");
    if (how === "refuse") throw new PluginError("TASK_NOT_FOUND", "nobody is called so", { text });
    if (how === "hang") await new Promise(() => {});
    if (how === "block") { for (const endMs = performance.now() + 150; performance.now() < endMs;); }
    return { text };
  },
});

const ECHO: Plugin = definePlugin({
  name: "echo",
  messages: [echo],
  namespaces: [{ name: "chat", conflation: "all", payload: v.object({ text: v.string() }) }],
});

Deno.test("a plug-in's message is answered, refused as it says, and its fault is its own", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const { plugins } = pipelineOf(live);
  plugins.add(ECHO);
  const answer = await client.request("echo", { text: "二" });
  assertEquals(answer.type === "result" && answer.data, { text: "二" });
  const wrong = await client.request("echo", {});
  assert(wrong.type === "error");
  assertMatch(wrong.error.message, /^data\.text: /);
  const refused = await client.request("echo", { text: "x", how: "refuse" });
  assertEquals(refused.type === "error" && [refused.error.code, refused.error.details], ["TASK_NOT_FOUND", {
    text: "x",
  }]);
  const failed = await client.request("echo", { text: "x", how: "throw" });
  assert(failed.type === "error" && failed.error.code === "SERVER_ERROR");
  assert(!failed.error.message.includes("secret"));
  await client.request("echo", { text: "x", how: "block" });
  assertEquals((await client.request("ping")).type, "pong");
  const [state] = plugins.list();
  assertEquals([state?.calls, state?.failed, state?.enabled], [4, 1, true]);
  assert((state?.overdue ?? 0) >= 1, "whatever else takes long on a busy machine");
});

Deno.test("one that hangs is answered for, and one that fails too often is disabled by itself", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const { plugins, messages } = pipelineOf(live);
  plugins.add(ECHO);
  const hung = client.request("echo", { text: "x", how: "hang" });
  for (let i = 0; i < 18; i++) await client.request("echo", { text: "x", how: "throw" });
  const answer = await hung;
  assert(answer.type === "error" && answer.error.code === "SERVER_ERROR");
  const [state] = plugins.list();
  assertEquals(
    [state?.enabled, state?.failed, (state?.overdue ?? 0) >= 1],
    [false, 18, true],
    "who keeps others waiting counts twice",
  );
  assertMatch(state?.why ?? "", /^20 failures within a minute/);
  const gone = await client.request("echo", { text: "x" });
  assertEquals(
    gone.type === "error" && gone.error.message,
    `type: must be one of ${messages.types.join(", ")}`,
  );
  const metrics = async () => await (await fetch(`http://127.0.0.1:${live.port}/metrics`)).text();
  const told = await metrics();
  assertMatch(told, /^taskwire_plugins_disabled\{?.*\}? 1$/m);
  assertMatch(told, /^taskwire_plugin_failures_total\{plugin="echo"\} 19$/m);
  plugins.enable("echo");
  assertEquals((await client.request("echo", { text: "x" })).type, "result");
  assertMatch(await metrics(), /^taskwire_plugins_disabled\{?.*\}? 0$/m);
});

/** A plug-in of which the schema of its message, and that of its values, does what it is told to. */
function judging(what: () => boolean): Plugin {
  const schema = v.pipe(v.object({}), v.check(what, "is not so"));
  return {
    name: "judging",
    messages: [definePluginMessage({ type: "judge", schema, handle: () => ({}) })],
    namespaces: [{ name: "judged", payload: v.pipe(v.unknown(), v.check(what, "is not so")) }],
  };
}

function block(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}

Deno.test("what fails in a schema of a plug-in is its own fault: it is counted, and a value is refused for what it is", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const { plugins, log, projection } = pipelineOf(live);
  let what = (): boolean => true;
  plugins.add(judging(() => what()));
  const state = () => plugins.list().slice(0, 1).map(({ calls, failed }) => [calls, failed])[0];
  const overdue = () => plugins.list()[0]?.overdue ?? 0;
  const publish = async (): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${live.port}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ topic: "judged:a", payload: 1 }),
    });
    const { detail } = await response.json();
    return [response.status, detail];
  };
  assertEquals((await client.request("judge")).type, "result");
  assertEquals(await publish(), [202, undefined]);
  what = () => false;
  assertEquals(await publish(), [400, "payload: is not so"]);
  const refused = await client.request("judge");
  assertEquals(refused.type === "error" && refused.error.code, "INVALID_MESSAGE");
  assertEquals([state(), live.incidents.length], [[1, 0], 0], "to refuse is no failure");
  what = () => {
    throw new Error("its own fault");
  };
  const failed = await client.request("judge");
  assertEquals(failed.type === "error" && failed.error.code, "SERVER_ERROR");
  assertEquals(await publish(), [400, "payload: its schema failed"]);
  await log.append([{ subject: "data.~judged.a", body: utf8("2") }]);
  await eventually("it is passed over", () => projection.rejected.total === 1);
  assertEquals(projection.rejected.list().map(({ reason }) => reason), ["payload: its schema failed"]);
  assertEquals(state(), [1, 3]);
  assert(live.incidents.some((line) => line.includes("plug-in judging") && line.includes("its own fault")));
  what = () => {
    block(150);
    return true;
  };
  // On a busy machine more takes too long than what blocks here: each of these counts, whatever else does.
  const before = overdue();
  assertEquals((await client.request("judge")).type, "result");
  const asked = overdue();
  assert(asked > before, "what is asked took too long");
  assertEquals(await publish(), [202, undefined]);
  await eventually("it is followed", () => projection.channels.newestFirst()[0]?.seq === 3);
  assert(overdue() >= asked + 2, "and what is published, and followed");
  assertEquals(state(), [2, 3]);
});

Deno.test("a stored value on which a schema fails counts when it comes, and not as often as anybody reads it", async () => {
  await using live = await LiveGateway.start({ TAIL_EVENTS: "0" });
  const { plugins, log, projection } = pipelineOf(live);
  let asked = 0;
  plugins.add(judging(() => {
    asked++;
    throw new Error("always");
  }));
  const of = (name: string) => ({ subject: `data.~judged.${name}`, body: utf8("1") });
  await log.append([of("a"), of("b")]);
  await eventually("they are passed over", () => projection.rejected.total === 2);
  const incidents = live.incidents.length;
  for (let i = 0; i < 15; i++) {
    await using client = await live.connect(`/ws?topics=judged:a,judged:b&replay=all`);
    await client.next("caught_up");
  }
  for (let i = 0; i < 15; i++) {
    plugins.disable("judging");
    plugins.enable("judging");
    await projection.came("judged");
  }
  assert(asked >= 30, "it was asked of what was stored");
  const [state] = plugins.list();
  assertEquals([state?.enabled, state?.failed, live.incidents.length], [true, 2, incidents]);
});

Deno.test("a schema that fails too often takes its plug-in away, and holds the log up no longer", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect("/ws?topics=task:status");
  const { plugins, log, projection } = pipelineOf(live);
  let asked = 0;
  plugins.add(judging(() => {
    asked++;
    throw new Error("always");
  }));
  const values = Array.from({ length: 100 }, () => ({ subject: "data.~judged.a", body: utf8("1") }));
  await log.append([...values, eventOf("after", "created")]);
  await client.next("task_status");
  assertEquals([asked, projection.rejected.total], [20, 100]);
  await eventually("it is gone", () => plugins.list()[0]?.enabled === false);
  assertMatch(plugins.list()[0]?.why ?? "", /^20 failures within a minute, the last: always$/);
  plugins.enable("judging");
  await log.append([{ subject: "data.~judged.a", body: utf8("1") }]);
  await eventually("it is asked anew", () => asked > 20);
});

Deno.test("who has not the right lets nothing of a plug-in fail", async () => {
  const AUTH_TOKENS = "reader:reader-reader-reader:subscribe:*";
  await using live = await LiveGateway.start({ AUTH: "token", AUTH_TOKENS });
  await using client = await live.connect("/ws?token=reader-reader-reader");
  const { plugins } = pipelineOf(live);
  const schema = v.pipe(
    v.object({}),
    v.check(() => {
      throw new Error("not for you");
    }),
  );
  plugins.add({
    name: "own",
    messages: [definePluginMessage({ type: "own", schema, right: "admin", handle: () => ({}) })],
  });
  const answer = await client.request("own");
  assertEquals(answer.type === "error" && answer.error.code, "FORBIDDEN");
  assertEquals(plugins.list()[0]?.failed, 0);
});

Deno.test("an answer that cannot be sent hurts itself alone", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const { plugins } = pipelineOf(live);
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const answers: readonly (() => unknown)[] = [
    () => ({ n: 1n }),
    () => cycle,
    () => ({ toJSON: () => "text" }),
    () => "text",
    () => null,
    () => [1],
    () => ({ text: "x".repeat(2_000_000) }),
    () => {
      throw Object.create(null);
    },
    () => {
      throw new PluginError("OF_MY_OWN" as ErrorCode, "not of the protocol");
    },
    () => {
      throw new PluginError("FORBIDDEN", "cannot be told", cycle);
    },
  ];
  const odd = definePluginMessage({
    type: "odd",
    schema: v.object({ i: v.number() }),
    handle: ({ i }) => answers[i]?.() as object,
  });
  plugins.add({ name: "odd", messages: [odd] });
  for (let i = 0; i < answers.length; i++) {
    const answer = await client.request("odd", { i });
    assertEquals(answer.type === "error" && answer.error.code, "SERVER_ERROR", `${answers[i]}`);
  }
  assertEquals((await client.request("ping")).type, "pong");
  assertEquals(plugins.list().slice(0, 1).map(({ failed, enabled }) => [failed, enabled]), [[
    answers.length,
    true,
  ]]);
});

Deno.test("what a plug-in publishes keeps the rules of everybody else's values", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const say = definePluginMessage({
    type: "say",
    schema: v.object({ key: v.optional(v.string()), id: v.optional(v.string()) }),
    async handle({ key, id }, _asker, gateway) {
      return {
        seq: await gateway.publish("data:a", 1, {
          ...(key === undefined ? {} : { key }),
          ...(id === undefined ? {} : { eventId: id }),
        }),
      };
    },
  });
  pipelineOf(live).plugins.add({ name: "say", messages: [say] });
  for (const data of [{ key: "a b" }, { key: "" }, { key: "\u{1f600}".repeat(128) }, { id: "a b" }]) {
    const answer = await client.request("say", data);
    assertEquals(answer.type === "error" && answer.error.code, "INVALID_MESSAGE", JSON.stringify(data));
  }
  const said = await client.request("say", { key: "k", id: "1" });
  assertEquals([said.type, said.type === "result" && said.data], ["result", { seq: 1 }]);
});

Deno.test("a plug-in that is told of much lets everybody else have their turn meanwhile", async () => {
  await using live = await LiveGateway.start();
  const pipeline = pipelineOf(live);
  let told = 0;
  pipeline.plugins.add({
    name: "busy",
    async onPublish() {
      told++;
      for (const endMs = performance.now() + 10; performance.now() < endMs;);
      await Promise.resolve();
    },
  });
  await pipeline.append(Array.from({ length: 20 }, (_, i) => eventOf(`t${i}`, "created")));
  await eventually("it began", () => told > 0);
  await new Promise((resolve) => setTimeout(resolve));
  assert(told < 20, "a timer came before all was told");
  await eventually("all was told", () => told === 20);
});

Deno.test("who watches a channel of a plug-in that goes is told so; it may come again", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const { plugins } = pipelineOf(live);
  const none = await client.request("subscribe", { topics: ["chat:a"] });
  assertEquals(none.type === "error" && none.error.code, "TOPIC_NOT_FOUND");
  plugins.add(ECHO);
  assertEquals((await client.request("subscribe", { topics: ["chat:a", "task:status"] })).type, "subscribed");
  const bad = await client.request("publish", { topic: "chat:a", payload: { text: 1 } });
  assert(bad.type === "error");
  assertMatch(bad.error.message, /^data\.payload\.text: /);
  for (const text of ["one", "two"]) await client.request("publish", { topic: "chat:a", payload: { text } });
  await eventually("every value came", () => client.of("channel_update").length === 2);
  assertEquals(client.of("channel_update").map(({ data }) => data.payload), [{ text: "one" }, {
    text: "two",
  }]);
  plugins.disable("echo");
  const told = await client.next("unsubscribed");
  assertEquals(told.data.topics, ["task:status"]);
  assertEquals(client.of("error").at(-1)?.error.code, "TOPIC_NOT_FOUND");
  plugins.enable("echo");
  assertEquals((await client.request("subscribe", { topics: ["chat:a"] })).type, "subscribed");
});

Deno.test("what is taken already lets nothing of a plug-in in", async () => {
  await using live = await LiveGateway.start();
  const { plugins, messages, namespaces } = pipelineOf(live);
  const before = [messages.types, namespaces.names, plugins.list()];
  const taken = definePlugin({ ...ECHO, name: "taken", messages: [echo, { ...echo, type: "ping" }] });
  assertThrows(() => plugins.add(taken), RangeError, 'message type "ping"');
  assertThrows(() => plugins.add({ name: "taken", namespaces: [{ name: "data" }] }), RangeError, "it exists");
  assertThrows(() => plugins.add({ name: "taken", namespaces: [{ name: "task" }] }), RangeError, "it exists");
  assertThrows(() => plugins.add({ name: "No Name" }), RangeError, "must be");
  for (const space of ["task", "data", "strategy"]) {
    const records = { space, read: () => ({ rejected: "taken" }) };
    const thief = { name: "thief", namespaces: [{ name: "thief", records }] };
    assertThrows(() => plugins.add(thief), RangeError, `under ${space}. is another's`);
  }
  for (const odd of [{ conflation: "none", retained: true }, { name: "status", of: "task" }] as const) {
    const namespaces = [{ name: "odd", ...odd }];
    assertThrows(() => plugins.add({ name: "odd", namespaces }), RangeError, "Cannot add the namespace");
  }
  assertEquals([messages.types, namespaces.names, plugins.list()], before);
});

Deno.test("a plug-in is told of what happens, in order, and what it throws hurts nobody", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const pipeline = pipelineOf(live);
  const heard: string[] = [];
  pipeline.plugins.add({
    name: "ear",
    onPublish({ taskId, topic, status }) {
      heard.push(`${taskId ?? topic} ${status}`);
      if (topic !== undefined) throw new Error("not this");
    },
  });
  await client.request("subscribe", { topics: ["task:status"] });
  await pipeline.append([eventOf("t", "started"), eventOf("t", "progress", { completed: 1 })]);
  await client.request("publish", { topic: "data:a", payload: 1 });
  await pipeline.append([eventOf("t", "completed")]);
  await eventually("it heard all", () => heard.length === 4);
  assertEquals(heard, ["t true", "t false", "data:a false", "t true"]);
  await eventually("others have all", () => client.of("task_status").length === 2);
});

function pipelineOf(live: LiveGateway): NonNullable<LiveGateway["gateway"]["pipeline"]> {
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  return pipeline;
}

Deno.test("what came of a channel while its namespace was not there comes as it should have, whoever read over it meanwhile", async () => {
  await using live = await LiveGateway.start({ TAIL_EVENTS: "16" });
  const { plugins, epoch } = pipelineOf(live);
  plugins.add({ name: "lines", namespaces: [{ name: "lines", conflation: "all", retained: false }] });
  plugins.disable("lines");
  const line = (i: number) => ({ subject: "data.~lines.a", body: new TextEncoder().encode(`${i}`) });
  await live.append(eventOf("first", "created"), line(1), line(2), line(3));
  await live.append(...Array.from({ length: 40 }, (_, i) => eventOf(`t${i}`, "created")));
  const linesOf = async (query: string): Promise<unknown[]> => {
    await using client = await live.connect(`/ws?topics=task:status${query}`);
    await client.next("caught_up");
    return client.of("channel_update").map(({ data }) => data.payload);
  };
  await eventually("all is followed", () => pipelineOf(live).projection.head === 44);
  assertEquals(await linesOf(`&since=${epoch}:1`), []);
  plugins.enable("lines");
  assertEquals(await linesOf(`,lines:a&since=${epoch}:1`), [1, 2, 3]);
});

Deno.test("what came of a namespace while it was not there is told, and judged, once it is", async () => {
  await using live = await LiveGateway.start();
  const { plugins, log } = pipelineOf(live);
  plugins.add(ECHO);
  await using client = await TestClient.connect(live.url("/ws?topics=chat:a"));
  const { epoch } = (await client.next("welcome")).data;
  await client.next("caught_up");
  const say = (text: unknown) => log.append([{ subject: "data.~chat.a", body: utf8(JSON.stringify(text)) }]);
  const [first] = await say({ text: "one" });
  await eventually("it is live", () => client.of("channel_update").length === 1);
  plugins.disable("echo");
  for (const value of [{ text: "two" }, "no text", { text: "three" }]) await say(value);
  await eventually("they are passed over", () => live.gateway.pipeline?.projection.rejected.total === 3);
  plugins.enable("echo");
  await using back = await live.connect(`/ws?topics=chat:a&since=${epoch}:${first?.seq}`);
  await back.next("caught_up");
  await using late = await live.connect("/ws?topics=chat:a");
  await late.next("caught_up");
  await say({ text: "four" });
  await eventually("and what comes is live", () => back.of("channel_update").length === 3);
  const texts = (one: typeof back) =>
    one.of("channel_update").map(({ data }) => (data.payload as { text: string }).text);
  assertEquals(texts(back), ["two", "three", "four"]);
  await eventually("late", () => late.of("channel_update").length === 2);
  assertEquals(texts(late), ["three", "four"]);
});

Deno.test("the channels of a namespace that is there again are held as if it had never gone", async () => {
  await using live = await LiveGateway.start();
  const { plugins, log, projection } = pipelineOf(live);
  plugins.add(ECHO);
  const say = (subject: string, text: unknown) =>
    log.append([{ subject: `data.~chat.${subject}`, body: utf8(JSON.stringify(text)) }]);
  await say("a", { text: "one" });
  await say("b", { text: "before a fault" });
  plugins.disable("echo");
  assertEquals(projection.channels.newestFirst(), []);
  await say("b", "no text");
  await say("c.one", { text: "two" });
  const [last] = await say("c.another", { text: "three" });
  await eventually("all is followed", () => projection.head === last?.seq);
  plugins.enable("echo");
  const held = () => projection.channels.newestFirst().map(({ topic, keys }) => [topic, keys]);
  await eventually("all are held", () => held().length === 3);
  assertEquals(held(), [["chat:c", 2], ["chat:b", 1], ["chat:a", 1]]);
  assertEquals(
    Array.from(projection.channels.retained("chat:c") ?? [], ({ seq }) => seq),
    [4, 5],
  );
  await say("a", { text: "four" });
  await eventually("what comes is held as well", () => held()[0]?.[0] === "chat:a");
});

Deno.test("a plug-in that comes again as another one is asked about what lies in the log already", async () => {
  await using live = await LiveGateway.start({ TAIL_EVENTS: "0" });
  const { plugins, log, projection } = pipelineOf(live);
  const values = [1, 2, 3].map((n) => ({ subject: "data.~lines.a", body: utf8(`${n}`) }));
  await log.append(values);
  await eventually("all is followed", () => projection.head === 3);
  const replayed = async (): Promise<unknown[]> => {
    await using client = await live.connect("/ws?topics=lines:a&replay=all");
    await client.next("caught_up");
    return client.of("channel_update").map(({ data }) => data.payload);
  };
  const became = async (namespace: Omit<Namespace, "name">): Promise<unknown[]> => {
    plugins.remove("lines");
    plugins.add({ name: "lines", namespaces: [{ name: "lines", retained: false, ...namespace }] });
    return await replayed();
  };
  assertEquals(await became({ conflation: "none" }), []);
  assertEquals(await became({ conflation: "all" }), [1, 2, 3]);
  assertEquals(await became({ conflation: "all", payload: v.pipe(v.number(), v.minValue(2)) }), [2, 3]);
});

Deno.test("a plug-in is told to start at first, after it was told not all, and when it comes again", async () => {
  await using live = await LiveGateway.start();
  const { plugins, projection } = pipelineOf(live);
  let started = 0;
  const heard: unknown[] = [];
  let goOn = () => {};
  plugins.add(definePlugin({
    name: "listener",
    onStart: () => void started++,
    onPublish: async ({ taskId }) => {
      heard.push(taskId);
      if (taskId === "slow") await new Promise<void>((resolve) => goOn = resolve);
    },
  }));
  await eventually("it is told of the state", () => started === 1);
  await live.append(eventOf("slow", "created"));
  await eventually("it takes long", () => heard.length === 1);
  for (let from = 0; from < 11_000; from += 1_000) {
    await live.append(...Array.from({ length: 1_000 }, (_, i) => eventOf(`t${from + i}`, "created")));
  }
  await eventually("all is followed", () => projection.head === 11_001);
  goOn();
  await eventually("it was told of what waited, and that there was more", () => started === 2);
  assertEquals(heard.length, 10_001);
  plugins.disable("listener");
  plugins.enable("listener");
  await eventually("it is told anew", () => started === 3);
});

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
