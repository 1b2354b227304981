import { assert, assertEquals } from "@std/assert";
import { table, unquoted } from "../protocol/document_tables.ts";
import { LiveGateway } from "../transport/live_gateway.ts";
import { at, isObject, membersIn } from "./arbitrary_json.ts";
import { asyncApiOf, membersAt, openApiOf } from "./documents.ts";
import type { Json } from "./judges.ts";

const MESSAGES = "#/components/messages";

/** What is named in a cell, each by itself. */
function named(cell = ""): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
}

/** The members of the payloads of those messages whose key begins so. */
function membersOf(document: Json, from: string): ReadonlySet<string> {
  const keys = Object.keys(membersAt(document, "components", "messages")).filter((key) =>
    key.startsWith(from)
  );
  return new Set(
    keys.flatMap((key) => Object.keys(membersIn(at(document, `${MESSAGES}/${key}/payload/properties`)))),
  );
}

/** The bound of this name that a schema has, wherever in it. */
function boundIn(schema: unknown, bound: string): number {
  const found: number[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (isObject(value)) {
      for (const [name, inner] of Object.entries(value)) {
        if (name === bound && typeof inner === "number") found.push(inner);
        else walk(inner);
      }
    }
  };
  walk(schema);
  const [first] = new Set(found);
  assert(first !== undefined && found.every((one) => one === first), `one ${bound}, not ${found}`);
  return first;
}

Deno.test("the protocol document's tables of members, of sub-protocols and of what is shown are those of /asyncapi.json", async () => {
  await using live = await LiveGateway.start();
  const { document } = await asyncApiOf(live);
  const envelope = new Set([...membersOf(document, "client."), ...membersOf(document, "server."), "error"]);
  assertEquals([...envelope].sort(), table("member", "2").flatMap(([cell]) => named(cell)).sort());

  const events = membersOf(document, "event.");
  const attributes = membersOf(document, "event.cloudevent");
  assertEquals(attributes.size, 0, "which are in a table of their own");
  assertEquals(
    [...events].sort(),
    [...new Set(table("member", "9").flatMap(([cell]) => named(cell)))].sort(),
  );
  const counters = membersIn(
    at(document, `${MESSAGES}/event.completed/payload/properties/progress/properties`),
  );
  const [, told] = table("member", "9").find(([cell]) => cell === "`progress`") ?? [];
  assertEquals(Object.keys(counters).sort(), [...named(told)].sort());

  const offered = at(
    document,
    "#/channels/ws/bindings/ws/headers/properties/Sec-WebSocket-Protocol/examples",
  );
  assertEquals(offered, table("sub-protocol", "1").map(([name]) => unquoted(name)));

  const ways = table("where", "1").map(([cell]) => cell).join("\n");
  const schemes = Object.values(membersAt(document, "components", "securitySchemes"));
  assertEquals(schemes.length + 1, table("where", "1").length, "and the frame auth");
  assert(membersAt(document, "components", "messages")["client.auth"] !== undefined);
  for (const { description } of schemes) {
    const [name = ""] = /Bearer|taskwire\.bearer|ticket/.exec(String(description)) ?? [];
    assert(name === "ticket" || ways.includes(name), `${description}`);
  }
});

Deno.test("the protocol document's limits of what is said are those of the schemas", async () => {
  await using live = await LiveGateway.start();
  const { document } = await asyncApiOf(live);
  const payload = (key: string, member: string): unknown =>
    at(document, `${MESSAGES}/${key}/payload/properties/${member}`);
  const batch = at(
    (await openApiOf(live)).document,
    "#/paths/~1api~1events/post/requestBody/content/application~1cloudevents-batch+json/schema",
  );
  const text = (key: string, member: string): number => boundIn(payload(key, member), "maxLength");
  const data = (type: string, member: string): unknown =>
    membersIn(membersIn(payload(`client.${type}`, "data"))["properties"])[member];
  const error = at(document, `${MESSAGES}/event.failed/payload/properties/error/anyOf/0/anyOf/0/properties`);
  const words = [
    text("event.progress", "current"),
    text("event.progress", "status"),
    text("event.cancelled", "reason"),
  ];
  const bounds: Readonly<Record<string, readonly unknown[]>> = {
    "topics of a request": [boundIn(data("subscribe", "topics"), "maxItems")],
    "entries of a page (`limit`)": [boundIn(data("get_tasks", "limit"), "maximum")],
    "a token": [text("client.auth", "data")],
    "`name` of a task; `type`": [text("event.created", "name"), text("event.created", "type")],
    "`current`, `status`, `reason`": [...new Set(words)],
    "`error.message`; `error.code`": ["message", "code"].map((member) =>
      boundIn(membersIn(error)[member], "maxLength")
    ),
    "body of an HTTP request": [1, membersIn(batch)["maxItems"]], // MiB, and events
  };
  const rows = new Map(table("what", "11").map(([what = "", limit = ""]) => [what, limit]));
  for (const [what, ours] of Object.entries(bounds)) {
    const told = [...(rows.get(what) ?? "").matchAll(/\d+/g)].map(([number]) => Number(number));
    assertEquals(told, ours, what);
  }
});
