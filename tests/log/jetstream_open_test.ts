import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openJetStreamLog } from "../../src/log/jetstream_log.ts";
import { startNatsServer } from "../nats_server.ts";
import { asOperator, optionsOf, PREFIX, STREAM } from "./jetstream_bench.ts";
import { first, numbered, rejection, whole } from "./probe.ts";

fact("a stream set otherwise is refused, every difference named, and left as it is", async () => {
  await using server = await startNatsServer();
  await asOperator(server, (ask) =>
    ask(`STREAM.CREATE.${STREAM}`, {
      name: STREAM,
      subjects: [`${PREFIX}.task.>`],
      storage: "memory",
      max_age: 86_400_000_000_000,
      max_msgs_per_subject: 5,
      max_bytes: 1_000_000,
    }));
  const settings = { retainAgeMs: 7 * 86_400_000, retainPerSubject: 1000, dedupWindowMs: 90_000 };
  const refused = await rejection(openJetStreamLog(optionsOf(server, "nats", settings)));
  assertEquals(refused.code, "mismatch");
  const named = [
    `subjects: taskwire wants ${PREFIX}.data.> ${PREFIX}.strategy.> ${PREFIX}.task.>, the stream has ${PREFIX}.task.>`,
    "storage: taskwire wants file, the stream has memory",
    "max_age: taskwire wants 7d, the stream has 1d",
    "max_msgs_per_subject: taskwire wants 1000, the stream has 5",
    "duplicate_window: taskwire wants 90s, the stream has 2m",
    "allow_direct: taskwire wants true, the stream has ",
    `nats stream edit ${STREAM}`,
  ];
  for (const difference of named) assertStringIncludes(refused.message, difference);
  assert(!refused.message.includes("max_bytes"), "what taskwire does not set is the operator's");
  await asOperator(server, async (ask) => {
    const { config } = await ask(`STREAM.INFO.${STREAM}`);
    assert(typeof config === "object" && config !== null && "max_msgs_per_subject" in config);
    assertEquals(config.max_msgs_per_subject, 5);
  });
});

fact("subjects that another stream takes are told with its name", async () => {
  await using server = await startNatsServer();
  const other = { name: "OTHER", subjects: [`${PREFIX}.task.*.progress`] };
  await asOperator(server, (ask) => ask("STREAM.CREATE.OTHER", other));
  const refused = await rejection(openJetStreamLog(optionsOf(server, "nats")));
  assertEquals(refused.code, "mismatch");
  assertStringIncludes(refused.message, "The stream OTHER already takes subjects below acme.taskwire.");
});

fact("several gateways that open a new log at once share it", async () => {
  await using server = await startNatsServer();
  const logs = await Promise.all(
    Array.from({ length: 5 }, () => openJetStreamLog(optionsOf(server, "nats"))),
  );
  try {
    await Promise.all(logs.map((log) => log.append(numbered(20))));
    const extents = await Promise.all(logs.map((log) => log.extent()));
    assertEquals(new Set(extents.map((extent) => JSON.stringify(extent))).size, 1);
    assertEquals(extents[0]?.lastSeq, 100);
  } finally {
    await Promise.all(logs.map((log) => log[Symbol.asyncDispose]()));
  }
});

fact("two prefixes are two logs on one server", async () => {
  await using server = await startNatsServer();
  await using one = await openJetStreamLog(
    optionsOf(server, "nats", { stream: "ONE", prefix: "one.taskwire" }),
  );
  await using two = await openJetStreamLog(
    optionsOf(server, "nats", { stream: "TWO", prefix: "two.taskwire" }),
  );
  await one.append(numbered(3, () => "task.one.x"));
  await two.append(numbered(2, () => "task.two.x"));
  assertEquals((await whole(one)).map((e) => e.subject), ["task.one.x", "task.one.x", "task.one.x"]);
  assertEquals((await whole(two)).map((e) => e.subject), ["task.two.x", "task.two.x"]);
});

fact("a server without JetStream is told as such", async () => {
  await using server = await startNatsServer({ jetstream: false });
  const options = optionsOf(server, "nats", { readyWithinMs: 300 });
  const unreachable = await rejection(openJetStreamLog(options));
  assertEquals(unreachable.code, "unreachable");
  assertStringIncludes(unreachable.message, "is it enabled");
});

fact("wrong credentials and an absent server are told in one error each, without secrets", async () => {
  await using server = await startNatsServer({ config: "authorization { user: anna, password: secret }" });
  const options = optionsOf(server, "nats");
  const nats = { url: server.url, user: "anna", password: "guess-me" };
  const refused = await rejection(openJetStreamLog({ ...options, nats }));
  assertEquals(refused.code, "refused");
  assertStringIncludes(refused.message, `NATS at ${server.url} refused the credentials`);
  await server.stop();
  const absent = { ...options, nats: { url: server.url.replace("//", "//anna:guess-me@") } };
  const unreachable = await rejection(openJetStreamLog({ ...absent, connecting: { withinMs: 500 } }));
  assertEquals(unreachable.code, "unreachable");
  assertStringIncludes(unreachable.message, `NATS at ${server.url} does not answer`);
  for (const { message } of [refused, unreachable]) assert(!message.includes("guess-me"), message);
});

fact("a gateway needs no more rights than the documented ones", async () => {
  const api = (operation: string) => `"$JS.API.${operation}"`;
  const allowed = [
    api("INFO"),
    api(`STREAM.INFO.${STREAM}`),
    api(`CONSUMER.CREATE.${STREAM}.>`),
    api(`CONSUMER.DELETE.${STREAM}.*`),
    api(`CONSUMER.MSG.NEXT.${STREAM}.*`),
    `"${PREFIX}.task.>"`,
  ];
  const users = `{ user: gateway, password: g, permissions: {
      publish: [${allowed.join(", ")}], subscribe: ["_INBOX_gateway.>"] } },
    { user: operator, password: o }`;
  await using server = await startNatsServer({ config: `authorization { users: [${users}] }` });
  const options = optionsOf(server, "nats");
  const gateway = { url: server.url, user: "gateway", password: "g", inboxPrefix: "_INBOX_gateway" };

  const refused = await rejection(openJetStreamLog({ ...options, nats: gateway }));
  assertEquals(refused.code, "refused");
  assertStringIncludes(refused.message, `$JS.API.STREAM.CREATE.${STREAM}`);

  const operator = { url: server.url, user: "operator", password: "o" };
  await (await openJetStreamLog({ ...options, nats: operator }))[Symbol.asyncDispose]();
  await using log = await openJetStreamLog({ ...options, nats: gateway });
  await log.append(numbered(3));
  assertEquals((await whole(log)).length, 3);
  assertEquals((await first(log.lastPerSubject()))?.map((e) => e.seq), [3]);
  const { epoch } = await log.extent();
  const seen = await first(log.follow({ epoch, after: 0 }, new AbortController().signal));
  assertEquals(seen?.kind, "entries");
  const denied = await rejection(log.append(numbered(1, () => "data.x.y")));
  assertEquals(denied.code, "refused");
});

fact("a log opened before its server is there opens when it comes", async () => {
  await using server = await startNatsServer();
  await server.stop();
  const waits = Promise.withResolvers<void>();
  const connecting = { onWaiting: () => waits.resolve() };
  const opening = openJetStreamLog(optionsOf(server, "nats", { connecting }));
  await waits.promise;
  await server.restart();
  await using log = await opening;
  assertEquals((await log.append(numbered(1)))[0]?.seq, 1);
});

/** Registers a test under the sanitizers. */
function fact(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `JetStream: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });
}
