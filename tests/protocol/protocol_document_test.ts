import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import {
  AuthData,
  CancelTaskData,
  ChannelPublication,
  ClientEnvelope,
  GetHistoryData,
  GetTaskData,
  GetTasksData,
  PingData,
  SubscribeData,
  UnsubscribeData,
} from "../../src/protocol/client_frames.ts";
import { DOCUMENT, table, unquoted } from "./document_tables.ts";
import { CLOSE_CODES } from "../../src/protocol/close_codes.ts";
import { ERROR_CODES } from "../../src/protocol/error_codes.ts";
import {
  CancelRequestedSchema,
  ServerFrameSchema,
  ServerMessageSchema,
} from "../../src/protocol/server_schemas.ts";
import {
  AppendedAnswer,
  ChannelsAnswer,
  Problem,
  RejectedAnswer,
  TicketAnswer,
} from "../../src/contract/http_answers.ts";
import { parseTopic, PATHS } from "../../src/protocol/topics.ts";
import { SETTINGS } from "../../src/settings/environment.ts";
import { LEVELS } from "../../src/task/fold.ts";
import { parseCloudEvent } from "../../src/task/cloud_event.ts";
import { ASKED } from "../../src/task/task.ts";
import {
  BODIES,
  isKind,
  KINDS,
  MAX_BODY_BYTES,
  MAX_BODY_DEPTH,
  parseBody,
} from "../../src/task/worker_event.ts";

const CLIENT_DATA: Readonly<Record<string, v.GenericSchema>> = {
  ping: PingData,
  subscribe: SubscribeData,
  unsubscribe: UnsubscribeData,
  get_task: GetTaskData,
  get_tasks: GetTasksData,
  get_history: GetHistoryData,
  cancel_task: CancelTaskData,
  publish: ChannelPublication,
  auth: AuthData,
};

type Example = { readonly is: string; readonly text: string; readonly value: unknown };

/** Every fenced JSON example; `is` is the word after `json`, empty for a frame. */
const EXAMPLES: readonly Example[] = [...DOCUMENT.matchAll(/^```json ?(.*)\n([\s\S]*?)^```$/gm)]
  .map(([, is = "", text = ""]) => ({ is, text, value: JSON.parse(text) }));

const Typed = v.object({ type: v.string() });

/** The frames among the examples, by whom they are from. */
function frames(from: "client" | "server"): { type: string; value: unknown }[] {
  return EXAMPLES.filter((example) => example.is === "")
    .map(({ value }) => ({ type: v.parse(Typed, value).type, value }))
    .filter(({ type }) => (type in CLIENT_DATA) === (from === "client"));
}

Deno.test("every frame of a client in the protocol document is one", () => {
  for (const { type, value } of frames("client")) {
    const frame = v.parse(ClientEnvelope, value);
    v.parse(v.pipe(v.unknown(), CLIENT_DATA[type] ?? v.never()), frame.data);
  }
});

Deno.test("the protocol document tells of every frame of a client, and of no other", () => {
  const told = table("type", "3").map(([type]) => unquoted(type)).sort();
  assertEquals(told, Object.keys(CLIENT_DATA).sort());
  assertEquals([...new Set(frames("client").map(({ type }) => type))].sort(), told);
});

Deno.test("every frame of the server in the protocol document is one", () => {
  for (const { type, value } of frames("server")) {
    const result = v.safeParse(ServerMessageSchema, value);
    assert(result.success, `${type}: ${JSON.stringify(value)}`);
  }
});

Deno.test("the protocol document has an example of every frame of the server", () => {
  const types = ServerFrameSchema.options.map((option) => option.entries.type.literal);
  const shown = new Set(frames("server").map(({ type }) => type));
  assertEquals([...shown].sort(), [...types, "batch"].sort());
});

Deno.test("every topic in the examples is one", () => {
  const Topics = v.object({ type: v.string(), data: v.object({ topics: v.array(v.string()) }) });
  for (const { value } of [...frames("client"), ...frames("server")]) {
    const parsed = v.safeParse(Topics, value);
    if (!parsed.success) continue;
    assertEquals(parsed.output.data.topics.filter((topic) => parseTopic(topic) === undefined), []);
  }
});

Deno.test("the table of topics has the shapes that are topics", () => {
  const shapes = table("topic", "5").flatMap(([cell = ""]) =>
    cell.split(",").map((shape) => unquoted(shape.trim()))
  );
  const named = shapes.map((shape) => shape.replace("<task_id>", "task_123").replace("<tag>", "数据"));
  assertEquals(named.filter((topic) => parseTopic(topic) === undefined), []);
  const paths = table("path", "1").map((
    [path, topics],
  ) => [unquoted(path), unquoted(topics).replace(":*", "")]);
  assertEquals(paths, [...PATHS].map(([path, namespace]) => [path, namespace === "*" ? "all" : namespace]));
});

Deno.test("every body of a worker's event in the protocol document is one, and every kind has one", () => {
  const shown = EXAMPLES.flatMap(({ is, value }) => isKind(is) ? [{ kind: is, value }] : []);
  for (const { kind, value } of shown) {
    const parsed = parseBody(kind, value);
    assert("body" in parsed, `${kind}: ${JSON.stringify(parsed)}`);
    const known = Object.keys(BODIES[kind].entries);
    assertEquals(Object.keys(value ?? {}).filter((member) => !known.includes(member)), []);
  }
  assertEquals([...new Set(shown.map(({ kind }) => kind))].sort(), [...KINDS].sort());
});

Deno.test("the table of kinds says what the fold does", () => {
  const told = table("kind", "9").map(([kind, body, status, level]) => ({
    kind: unquoted(kind),
    body: unquoted(body).split(", ").sort(),
    status: unquoted(status),
    level: Number(level),
  }));
  const done = KINDS.map((kind) => ({
    kind,
    body: Object.keys(BODIES[kind].entries).sort(),
    status: ASKED[kind],
    level: LEVELS[kind],
  }));
  const byKind = (a: { kind: string }, b: { kind: string }) => a.kind < b.kind ? -1 : 1;
  assertEquals(told.sort(byKind), done.sort(byKind));
});

Deno.test("the table of error codes is the one of the code", () => {
  const told = table("code", "7").map(([code, status, meaning]) => [unquoted(code), Number(status), meaning]);
  const ours = Object.entries(ERROR_CODES).map((
    [code, { httpStatus, meaning }],
  ) => [code, httpStatus, meaning]);
  assertEquals(told, ours);
});

Deno.test("the table of close codes is the one of the code", () => {
  const RECONNECT = {
    "no": /^no$/,
    "backoff": /^yes, with backoff$/,
    "slot": /^yes, after `reconnect_after_ms`/,
    "fresh token": /^yes, with a fresh token$/,
  };
  const rows = table("code", "8");
  const ours = Object.values(CLOSE_CODES);
  assertEquals(
    rows.map(([code, reason]) => [Number(code), reason]),
    ours.map(({ code, reason }) => [code, reason]),
  );
  rows.forEach(([, , told = ""], i) => {
    const expected = RECONNECT[ours[i]?.reconnect ?? "no"];
    assert(expected.test(told), `${ours[i]?.code}: ${told}`);
  });
});

/** An HTTP example is a request to append, or what one of the routes answers. */
const Answer = v.union([
  CancelRequestedSchema,
  TicketAnswer,
  AppendedAnswer,
  RejectedAnswer,
  Problem,
  ChannelsAnswer,
]);

Deno.test("every HTTP body in the protocol document is an answer, or appends events, or publishes values", () => {
  const Event = v.looseObject({ kind: v.string(), event_id: v.string() });
  const shown = EXAMPLES.filter(({ is }) => is === "http");
  assert(shown.length > 0);
  for (const { value } of shown) {
    if (v.is(Answer, value) || v.is(v.array(ChannelPublication), value)) continue;
    for (const { kind, event_id: _, ...body } of v.parse(v.array(Event), [value].flat())) {
      assert(isKind(kind));
      assert("body" in parseBody(kind, body), `${kind}: ${JSON.stringify(body)}`);
    }
  }
});

Deno.test("every CloudEvent in the protocol document is one, and has every attribute of its table", () => {
  const shown = EXAMPLES.filter(({ is }) => is === "cloudevent");
  assert(shown.length > 0);
  for (const { value } of shown) {
    const parsed = parseCloudEvent(value);
    assert("said" in parsed && isKind(parsed.said.kind), JSON.stringify(parsed));
    assert("body" in parseBody(parsed.said.kind, parsed.said.body));
    const told = table("attribute", "9").map(([attribute]) => unquoted(attribute));
    const known = told.filter((attribute) => attribute !== "datacontenttype");
    assertEquals(Object.keys(value ?? {}).sort(), known.sort());
  }
});

Deno.test("every example is of a sort that these tests check", () => {
  const other = ["", "http", "cloudevent"];
  assertEquals(EXAMPLES.map(({ is }) => is).filter((is) => !other.includes(is) && !isKind(is)), []);
  assertEquals(EXAMPLES.length, DOCUMENT.match(/^```json/gm)?.length);
});

Deno.test("every setting that the table of limits names is one, and its default is right", () => {
  const text = table("what", "11").map((cells) => cells.join(" ")).join("\n");
  const named = [...text.matchAll(/`([A-Z][A-Z_]+)`, (\w+)/g)]
    .filter(([, name = ""]) => !(name in ERROR_CODES))
    .map(([, name, value]) => [name, value]);
  assert(named.length > 10);
  for (const [name, value] of named) {
    const setting = SETTINGS.find((one) => one.name === name);
    assertEquals(setting?.default, value, `default of ${name}`);
  }
  const bodies = table("what", "11").find(([what]) => what === "body of an event");
  assertEquals(bodies?.[1], `${MAX_BODY_BYTES} bytes, nested ${MAX_BODY_DEPTH} deep`);
});

Deno.test("every link within the protocol document leads somewhere", () => {
  const anchors = [...DOCUMENT.matchAll(/^##+ (.*)$/gm)].map(([, heading = ""]) =>
    `#${heading.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, "").replaceAll(" ", "-")}`
  );
  const links = [...DOCUMENT.matchAll(/\]\((#[^)]*)\)/g)].map(([, link]) => link);
  assertEquals(links.filter((link) => !anchors.includes(link ?? "")), []);
});
