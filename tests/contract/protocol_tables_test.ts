import { assert, assertEquals } from "@std/assert";
import { HTTP_OPERATIONS } from "../../src/contract/http_operations.ts";
import { readClient } from "../../src/http/assets.ts";
import { readDashboard } from "../../src/http/dashboard_assets.ts";
import taskLog from "../../src/plugins/examples/task_log.ts";
import { FakeGateway } from "../http/fake_gateway.ts";
import { DOCUMENT, table, unquoted } from "../protocol/document_tables.ts";
import { LiveGateway } from "../transport/live_gateway.ts";
import { at, membersIn } from "./arbitrary_json.ts";
import { asyncApiOf, danglingIn, membersAt, openApiOf } from "./documents.ts";
import { asyncApiFaults, type Json, openApiFaults } from "./judges.ts";

const ROOT = new URL("../../", import.meta.url);

async function asyncApiDocument(): Promise<Json> {
  await using live = await LiveGateway.start();
  return (await asyncApiOf(live)).document;
}

const MESSAGES = "#/components/messages";

Deno.test("both documents are what the official schemas of AsyncAPI and OpenAPI ask, with plug-ins too", async () => {
  await using live = await LiveGateway.start();
  live.gateway.pipeline?.plugins.add(taskLog);
  const spoken = await asyncApiOf(live);
  assertEquals(asyncApiFaults(spoken.document), []);
  assert(asyncApiFaults({ ...spoken.document, channels: [] }).length > 0);
  const asked = await openApiOf(live);
  assertEquals(await openApiFaults(asked.document), []);
  assert((await openApiFaults({ ...asked.document, paths: [] })).length > 0);
  for (const { document } of [spoken, asked]) assertEquals(danglingIn(document), []);
  // What the schema of AsyncAPI cannot say: the messages of an operation, and of its reply, are those of its channel.
  for (const [name, operation] of Object.entries(membersAt(spoken.document, "operations"))) {
    const of = (part: unknown): void => {
      const { channel, messages } = membersIn(part);
      const from = `${membersIn(channel)["$ref"]}/messages/`;
      const named = Array.isArray(messages) ? messages.map(({ $ref }) => String($ref)) : [];
      assert(named.length > 0 && named.every((ref) => ref.startsWith(from)), `${name}: ${named}`);
    };
    of(operation);
    if (operation["reply"] !== undefined) of(operation["reply"]);
  }
  // Compiling a schema judges it: strictly, so that no word of it is unknown.
  for (const key of Object.keys(membersAt(spoken.document, "components", "messages"))) {
    spoken.judge.at(`${MESSAGES}/${key}/payload`);
  }
  for (const { document, judge } of [spoken, asked]) {
    for (const name of Object.keys(membersAt(document, "components", "schemas"))) {
      judge.at(`#/components/schemas/${name}`);
    }
  }
});

Deno.test("the protocol document's tables and /asyncapi.json say the same", async (t) => {
  const document = await asyncApiDocument();
  const messages = membersAt(document, "components", "messages");
  const typesOf = (from: string): readonly string[] =>
    Object.keys(messages).filter((key) => key.startsWith(`${from}.`)).map((key) => key.slice(from.length + 1))
      .sort();

  await t.step("what clients send, its members, and what answers it", () => {
    const told = table("type", "3").map(([type, data, answer]) =>
      [type, data, answer].map(unquoted).join(" ")
    );
    const ours = typesOf("client").map((type) => {
      const data = at(document, `${MESSAGES}/client.${type}/payload/properties/data`);
      const { properties, required } = membersIn(data);
      const names = Object.keys(membersIn(properties));
      const isRequired = (name: string): boolean => Array.isArray(required) && required.includes(name);
      const members = names.map((name) => isRequired(name) ? name : `${name}?`).join(", ");
      const replies = at(document, `#/operations/ws.${type}/reply/messages`);
      const answers = (Array.isArray(replies) ? replies : []).map(({ $ref }) =>
        String($ref).split("/server.")[1]
      );
      return `${type} {${members}} ${answers.filter((answer) => answer !== "error").join()}`;
    });
    assertEquals(ours, told.sort());
  });

  await t.step("what the server sends", () => {
    const section = DOCUMENT.slice(DOCUMENT.indexOf("\n## 4 "), DOCUMENT.indexOf("\n## 5 "));
    const told = [...section.matchAll(/^### (.*)$/gm)].flatMap(([, heading = ""]) => heading.split(", "));
    assertEquals(typesOf("server"), told.sort());
  });

  await t.step("paths, and the parameters of their query", () => {
    const told = table("path", "1").map(([path]) => unquoted(path));
    assertEquals(told.sort(), addressesOf(document).filter((address) => address.startsWith("/ws")).sort());
    const query = at(document, "#/channels/ws/bindings/ws/query/properties");
    assertEquals(
      Object.keys(membersIn(query)).sort(),
      table("parameter", "1").map(([name]) => unquoted(name)).sort(),
    );
    const protocols = at(
      document,
      "#/channels/ws/bindings/ws/headers/properties/Sec-WebSocket-Protocol/examples",
    );
    assert(Array.isArray(protocols) && protocols.length > 1);
    for (const protocol of protocols) assert(DOCUMENT.includes(`\`${protocol}\``), protocol);
  });

  await t.step("topics", () => {
    const shapes = table("topic", "5").flatMap(([cell = ""]) =>
      cell.split(",").map((shape) => unquoted(shape.trim()))
    );
    const topics = document["x-topics"];
    const ours: readonly string[] = Array.isArray(topics) ? topics.map(({ shape }) => String(shape)) : [];
    assertEquals(ours.filter((shape) => shape.startsWith("task:")).sort(), shapes.sort());
    for (const shape of ours) assert(DOCUMENT.includes(`\`${shape}\``), shape);
  });

  await t.step("error and close codes", () => {
    const errors = table("code", "7").map((
      [code, status, meaning],
    ) => [unquoted(code), Number(status), meaning]);
    const ours = Object.entries(membersAt(document, "x-error-codes"));
    assertEquals(ours.map(([code, { httpStatus, meaning }]) => [code, httpStatus, meaning]), errors);
    const closes = document["x-close-codes"];
    assert(Array.isArray(closes));
    const told = table("code", "8").map(([code, reason]) => [Number(code), reason]);
    assertEquals(closes.map(({ code, reason }) => [code, reason]), told);
  });

  await t.step("workers' events, and CloudEvents", () => {
    const told = table("kind", "9").map(([kind, body]) =>
      `${unquoted(kind)}: ${unquoted(body).split(", ").sort()}`
    );
    const ours = typesOf("event").filter((kind) => kind !== "cloudevent").map((kind) => {
      const members = at(document, `${MESSAGES}/event.${kind}/payload/properties`);
      return `${kind}: ${Object.keys(membersIn(members)).sort()}`;
    });
    assertEquals(ours, told.sort());
    const attributes = at(document, "#/components/schemas/CloudEvent/properties");
    const named = table("attribute", "9").map(([attribute]) => unquoted(attribute));
    assertEquals(
      Object.keys(membersIn(attributes)).sort(),
      [...named, "data_base64"].sort(),
    );
  });
});

function addressesOf(document: Json): readonly string[] {
  return Object.values(membersAt(document, "channels")).map(({ address }) => String(address));
}

/** The routes that a path of the router stands for: `:what{a|b}` is two. */
function spelled(route: string): readonly string[] {
  const [whole, name = "", alternatives] = /:(\w+)\{([^}]*)\}/.exec(route) ?? [];
  if (whole === undefined || alternatives === undefined) return [route];
  return alternatives.split("|").map((one) => route.replace(whole, /^\w+$/.test(one) ? one : `:${name}`));
}

/** The routes that the protocol document's table names: a path without a method has that of the one before. */
function routesTold(): readonly string[] {
  return table("route", "10").flatMap((cells) => {
    let method = "GET";
    return [...cells.join(" ").matchAll(/`(?:(GET|POST|DELETE) )?(\/[^\s`]*)`/g)].map(([, own, path]) => {
      method = own ?? method;
      return `${method} ${path}`;
    });
  });
}

Deno.test("every route is in /openapi.json, and in the protocol document's table", async () => {
  const files = [...await readClient(new URL("src/http/bundles/", ROOT)), ...await readDashboard(ROOT)];
  const documents = { asyncApi: () => Promise.resolve("{}"), openApi: () => Promise.resolve("{}") };
  const app = new FakeGateway().app({ assets: files, documents });
  const routed = app.routes.filter(({ method }) => method !== "ALL");
  const routes = new Set(routed.map(({ method, path }) => `${method} ${path}`));
  const own = ["/asyncapi.json", "/openapi.json"];
  const documented = [
    ...HTTP_OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`),
    ...[...files.map(({ path }) => path), ...own].map((path) => `GET ${path}`),
  ];
  assertEquals([...routes].sort(), documented.sort());
  assertEquals([...new Set(routesTold())].sort(), documented.flatMap(spelled).sort());
});
