import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";
import { arbitraryOf, at, isObject, membersIn } from "./arbitrary_json.ts";
import { asyncApiOf, membersAt, openApiOf, pointed, type Served } from "./documents.ts";
import { codeOf, RawClient, typeOf } from "./raw_client.ts";

/** So many values of each parameter as it should be. */
const RUNS = 5;

/** What hardly any parameter may be. */
const STRANGE = [
  "",
  "0",
  "-1",
  "1.5",
  "1e3",
  "0x10",
  "1001",
  "9".repeat(17),
  "a b",
  "ü",
  "a:b",
  "latest",
  "2024-01-01",
  "2024-01-01T00:00:00Z",
  "\u0000",
  "x".repeat(300),
];

/** What has to stand beside a parameter that means nothing alone. */
const BESIDE: Readonly<Record<string, string>> = {
  at_epoch: "&at_seq=1",
  since: "&topics=task:status",
  replay: "&topics=task:status",
  max_rate_hz: "&topics=task:status",
  client_id: "&topics=task:status",
};

/** Texts of which the schema of a parameter allows some, and some not; of each whether it does. */
function textsOf({ document, judge }: Served, pointer: string): readonly (readonly [string, boolean])[] {
  const values = fc.sample(arbitraryOf(at(document, pointer), document), { numRuns: RUNS, seed: 1 });
  const judged = judge.at(pointer);
  // As it is written, or as the number that it is.
  const allows = (text: string): boolean =>
    judged(text).length === 0 || (/^\d{1,16}(\.\d+)?$/.test(text) && judged(Number(text)).length === 0);
  const texts = [
    ...values.map((value) => typeof value === "string" ? value : JSON.stringify(value)),
    ...STRANGE,
  ];
  return [...new Set(texts)].map((text) => [text, allows(text)] as const);
}

Deno.test("parameters of paths and queries are taken and refused as /openapi.json says", async (t) => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("t1", "started"));
  const served = await openApiOf(live);
  for (const [path, methods] of Object.entries(membersAt(served.document, "paths"))) {
    for (const [i, parameter] of parametersOf(methods["get"]).entries()) {
      const { name, in: where } = parameter;
      if (where !== "query" && where !== "path") continue;
      await t.step(`${path} ${name}`, async () => {
        const pointer = `#/paths/${pointed(path)}/get/parameters/${i}/schema`;
        let refused = 0;
        for (const [text, isAllowed] of textsOf(served, pointer)) {
          if (where === "path" && text === "") continue; // that is another path
          const written = encodeURIComponent(text);
          const filled = path.replaceAll(/\{\w+\}/g, where === "path" ? written : "t1");
          const query = where === "path" ? "" : `?${name}=${written}${BESIDE[String(name)] ?? ""}`;
          const answer = await fetch(`http://127.0.0.1:${live.port}${filled}${query}`);
          const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
          const said = isStream ? "" : await answer.text();
          if (isStream) await answer.body?.cancel();
          const isTaken = !said.includes('"INVALID_MESSAGE"');
          // What a topic may be is no schema's to say.
          if (name === "topics" && text !== "") continue;
          assertEquals(
            isTaken,
            isAllowed && text !== "",
            `${filled}${query}: ${answer.status} ${said.slice(0, 200)}`,
          );
          if (!isTaken) refused++;
        }
        assert(refused > 0, "some were refused");
      });
    }
  }
  assertEquals(live.incidents, []);
});

function parametersOf(operation: unknown): readonly ReturnType<typeof membersIn>[] {
  const parameters = isObject(operation) ? operation["parameters"] : undefined;
  return Array.isArray(parameters) ? parameters.map(membersIn) : [];
}

Deno.test("parameters of WebSockets are taken and refused as /asyncapi.json says", async (t) => {
  await using live = await LiveGateway.start();
  const served = await asyncApiOf(live);
  const query = "#/channels/ws/bindings/ws/query/properties";
  for (const name of Object.keys(membersIn(at(served.document, query)))) {
    if (name === "topics" || name === "token") continue; // of those no schema says what they may be
    await t.step(name, async () => {
      for (const [text, isAllowed] of textsOf(served, `${query}/${name}`)) {
        const path = `/ws?topics=task:status&${name}=${encodeURIComponent(text)}`;
        await using client = await RawClient.connect(live.url(path));
        const answer = () => client.messages.find((frame) => ["subscribed", "error"].includes(typeOf(frame)));
        await eventually("it is answered", () => answer() !== undefined);
        const isTaken = codeOf(answer() ?? {}) !== "INVALID_MESSAGE";
        assertEquals(isTaken, isAllowed, `${path}: ${JSON.stringify(answer())}`);
      }
    });
  }
  assertEquals(live.incidents, []);
});
