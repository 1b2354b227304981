import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { asyncApi } from "../../src/contract/asyncapi.ts";
import taskLog from "../../src/plugins/examples/task_log.ts";
import { KINDS, parseRecord } from "../../src/task/worker_event.ts";
import { LiveGateway } from "../transport/live_gateway.ts";
import { arbitraryOf, at, isObject, membersIn } from "./arbitrary_json.ts";
import { asyncApiOf, membersAt, openApiOf } from "./documents.ts";
import { DocumentJudge, type Json, type Judge } from "./judges.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { codeOf, RawClient } from "./raw_client.ts";

/** So many values of each schema, each as it should be and with one member that may not be. */
const RUNS = 10;

/** A connection is closed at the tenth invalid frame of a minute. */
const MAX_INVALID = 9;

/** What can be said to a gateway, what it must be, and whether the gateway takes it: undefined, or why not. */
type Said = {
  readonly schema: unknown;
  readonly document: Json;
  readonly judge: Judge;
  readonly refusal: (value: Json) => Promise<string | undefined>;
  /** What is put in the place of members which more is asked of than their schema says. */
  readonly fixed?: Json;
};

/** Values that a schema allows are taken; one of which a member is another is taken too, or refused, naming it, as the schema says. */
async function holds({ schema, document, judge, refusal, fixed = {} }: Said): Promise<void> {
  const values = arbitraryOf(schema, document).map((value) => ({ ...object(value), ...fixed }));
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(values, fc.nat(), async (value, n) => {
      assertEquals(judge(value), [], "what was made follows the schema");
      assertEquals(await refusal(value), undefined);
      const mutants = mutantsOf(value, schema, document).filter(({ member }) => !(member in fixed));
      const mutant = mutants[n % Math.max(1, mutants.length)];
      if (mutant === undefined) return;
      if (await isAsTheSchemaSays(mutant, judge, refusal)) refused++;
    }),
    { numRuns: RUNS },
  );
  const members = Object.keys(membersIn(membersIn(schema)["properties"]));
  assert(refused > 0 || members.length === 0, "some were refused");
}

/** Whether a mutant was refused. Throws where that is not what the schema says of it, or does not name the member. */
async function isAsTheSchemaSays(
  { member, value }: Mutant,
  judge: Judge,
  refusal: Said["refusal"],
): Promise<boolean> {
  const faults = judge(value);
  const told = await refusal(value);
  const shown = JSON.stringify(value).slice(0, 300);
  if (faults.length === 0) assertEquals(told, undefined, `${member} of ${shown}`);
  else assert(told?.includes(member) === true, `${member} of ${shown}: ${faults.join("; ")}, but: ${told}`);
  return faults.length > 0;
}

function object(value: unknown): Json {
  if (!isObject(value)) throw new TypeError(`${JSON.stringify(value)} is no object`);
  return value;
}

Deno.test("frames of clients are taken and refused as their schemas in /asyncapi.json say", async (t) => {
  await using live = await LiveGateway.start({
    MESSAGES_PER_SECOND: "1000000",
    MESSAGES_BURST: "1000000",
  });
  live.gateway.pipeline?.plugins.add(taskLog);
  const { document, judge } = await asyncApiOf(live);
  const frames = Object.keys(membersAt(document, "components", "messages")).filter((key) =>
    key.startsWith("client.")
  );
  assert(frames.includes("client.read_log"), "the plug-in's are there");
  for (const key of frames) {
    const type = key.slice("client.".length);
    const pointer = `#/components/messages/${key}/payload/properties/data`;
    await t.step(type, async () => {
      let client = await RawClient.connect(live.url());
      let invalid = 0;
      await holds({
        schema: at(document, pointer),
        document,
        judge: judge.at(pointer),
        async refusal(data) {
          if (invalid === MAX_INVALID) {
            await client[Symbol.asyncDispose]();
            client = await RawClient.connect(live.url());
            invalid = 0;
          }
          const answer = await client.ask(type, data);
          if (codeOf(answer) !== "INVALID_MESSAGE") return undefined;
          invalid++;
          return JSON.stringify(answer["error"]);
        },
      });
      await client[Symbol.asyncDispose]();
    });
  }
  assertEquals(live.incidents, []);
});

/** Posts JSON; says why it was refused where it was for what it is, and not for what is not there. */
function posted(
  live: LiveGateway,
  path: string,
  type = "application/json",
): (value: unknown) => Promise<string | undefined> {
  return async (value) => {
    const answer = await fetch(`http://127.0.0.1:${live.port}${path}`, {
      method: "POST",
      headers: { "content-type": type },
      body: JSON.stringify(value),
    });
    const text = await answer.text();
    const status = answer.status;
    assert(
      [202, 400, 404, 413].includes(status),
      `${status} ${text} for ${JSON.stringify(value).slice(0, 300)}`,
    );
    return status === 202 || status === 404 ? undefined : text;
  };
}

Deno.test("bodies are taken and refused as their schemas in /openapi.json say", async (t) => {
  await using live = await LiveGateway.start({ REQUESTS_PER_SECOND: "1000000", REQUESTS_BURST: "1000000" });
  const { document, judge } = await openApiOf(live);
  const check = async (pointer: string, refusal: Said["refusal"], fixed: Json = {}): Promise<void> => {
    await holds({ schema: at(document, pointer), document, judge: judge.at(pointer), refusal, fixed });
  };
  const kinds = at(document, "#/components/schemas/WorkerEvent/anyOf");
  assert(Array.isArray(kinds) && kinds.length > 10);
  for (const i of kinds.keys()) {
    const pointer = `#/components/schemas/WorkerEvent/anyOf/${i}`;
    const kind = at(document, `${pointer}/properties/kind/const`);
    await t.step(
      `an event of a worker: ${kind}`,
      () => check(pointer, posted(live, "/api/tasks/fuzzed/events")),
    );
  }
  await t.step("an event of a worker as a CloudEvent", async () => {
    const more = { type: "taskwire.task.progress", subject: "fuzzed", data: { total: 3 }, traceparent: null };
    const refusal = posted(live, "/api/events", "application/cloudevents+json");
    await check("#/components/schemas/CloudEvent", refusal, more);
  });
  await t.step(
    "a value of a channel",
    () => check("#/components/schemas/Publication", posted(live, "/api/publish")),
  );
  await t.step("a request to cancel", async () => {
    const pointer =
      "#/paths/~1api~1tasks~1{task_id}~1cancel/post/requestBody/content/application~1json/schema";
    await check(pointer, posted(live, "/api/tasks/of_nobody/cancel"));
  });
  assertEquals(live.incidents, []);
});

Deno.test("several at once are taken where each is as /openapi.json says, and none of them where one is not", async (t) => {
  await using live = await LiveGateway.start({ REQUESTS_PER_SECOND: "1000000", REQUESTS_BURST: "1000000" });
  const { document, judge } = await openApiOf(live);
  const cloud = { type: "taskwire.task.progress", subject: "fuzzed", data: { total: 3 }, traceparent: null };
  const batch = "application/cloudevents-batch+json";
  const ways = [
    ["WorkerEvent/anyOf/0", "/api/tasks/fuzzed/events", "application/json", {}],
    ["CloudEvent", "/api/events", batch, cloud],
    ["CloudEvent", "/api/tasks/fuzzed/events", batch, cloud],
    ["Publication", "/api/publish", "application/json", { topic: "data:fuzzed" }],
  ] as const;
  for (const [name, path, type, fixed] of ways) {
    const pointer = `#/components/schemas/${name}`;
    const schema = at(document, pointer);
    const publish = posted(live, path, type);
    const one = arbitraryOf(schema, document).map((value): Json => ({ ...object(value), ...fixed }));
    await t.step(`${name} to ${path}`, async () => {
      let refused = 0;
      const several = fc.array(one, { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(several, fc.nat(), fc.nat(), async (values, n, which) => {
          assertEquals(await publish(values), undefined);
          const place = which % values.length;
          const faulty = mutantsOf(object(values[place]), schema, document).filter(({ member, value }) =>
            !(member in fixed) && judge.at(pointer)(value).length > 0
          );
          const mutant = faulty[n % Math.max(1, faulty.length)];
          if (mutant === undefined) return;
          const before = live.gateway.pipeline?.projection.head;
          const told = await publish(values.with(place, mutant.value));
          assert(told?.includes(mutant.member) === true, `${mutant.member}: ${told}`);
          assertEquals(live.gateway.pipeline?.projection.head, before, "none of them is there");
          refused++;
        }),
        { numRuns: RUNS },
      );
      assert(refused > 0, "some were refused");
      for (const wrong of [[], new Array(1_001).fill({}), {}]) assert(await publish(wrong) !== undefined);
    });
  }
  assertEquals(live.incidents, []);
});

Deno.test("values of a plug-in's channels are taken and refused as /asyncapi.json says", async () => {
  await using live = await LiveGateway.start({ REQUESTS_PER_SECOND: "1000000", REQUESTS_BURST: "1000000" });
  live.gateway.pipeline?.plugins.add(taskLog);
  const { document, judge } = await asyncApiOf(live);
  const pointer = "#/components/messages/value.log/payload";
  const publish = posted(live, "/api/publish");
  await holds({
    schema: at(document, pointer),
    document,
    judge: judge.at(pointer),
    refusal: (payload) => publish({ topic: "task:id:fuzzed:log", payload }),
  });
});

/** Why a record of NATS is no event. */
function rejection(kind: string, value: Json): string | undefined {
  const body = new TextEncoder().encode(JSON.stringify(value));
  const parsed = parseRecord({ seq: 1, time: 0, subject: `task.fuzzed.${kind}`, body });
  return "rejected" in parsed ? parsed.rejected : undefined;
}

Deno.test("bodies under the subjects of NATS are taken and refused as /asyncapi.json says", async (t) => {
  const document = asyncApi({ messages: [], namespaces: [], subProtocols: [] });
  const judge = new DocumentJudge(document, "draft-07");
  const addresses = Object.values(membersAt(document, "channels")).map(({ address }) => String(address));
  const kinds = addresses.flatMap((address) =>
    /^\{prefix\}\.task\.\{task_id\}\.(\w+)$/.exec(address)?.[1] ?? []
  );
  assertEquals(kinds.sort(), [...KINDS].sort());
  for (const kind of kinds) {
    const pointer = `#/components/messages/event.${kind}/payload`;
    await t.step(kind, async () => {
      const refusal = (value: Json) => Promise.resolve(rejection(kind, value));
      await holds({ schema: at(document, pointer), document, judge: judge.at(pointer), refusal });
    });
  }
});
