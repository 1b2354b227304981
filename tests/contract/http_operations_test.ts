import { assert, assertEquals } from "@std/assert";
import { definePlugin } from "../../src/plugins/plugin.ts";
import { LiveGateway } from "../transport/live_gateway.ts";
import { at, isObject, membersIn } from "./arbitrary_json.ts";
import { membersAt, openApiOf, pointed, type Served } from "./documents.ts";
import type { Json } from "./judges.ts";

const TOKENS = {
  operator: "operator-0123456789abcdef",
  reader: "reader-0123456789abcdef",
  scraper: "scraper-0123456789abcdef",
} as const;

const SETTINGS = {
  AUTH: "token",
  AUTH_TOKENS: `operator:${TOKENS.operator}:admin,reader:${TOKENS.reader}:subscribe:data:none`,
  METRICS_TOKEN: TOKENS.scraper,
};

/** A request of an operation, and the status that it comes to. */
type Drive = {
  readonly status: number;
  /** Behind the path of the operation, in which `{task_id}` is `task`. */
  readonly query?: string;
  readonly task?: string;
  /** What else is in the path. */
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly type?: string;
  /** Who asks. Default: the operator. */
  readonly as?: keyof typeof TOKENS | "nobody";
  /** The site whose page asks, where it is one's. */
  readonly origin?: string;
};

const NOBODY: Drive = { status: 401, as: "nobody" };
const FOREIGN: Drive = { status: 403, as: "reader", body: {} };
const ELSEWHERE: Drive = { status: 403, origin: "https://elsewhere.example" };
const LARGE = "x".repeat(1_048_577);
const WITH_BODY: readonly Drive[] = [
  NOBODY,
  FOREIGN,
  { status: 415, body: {}, type: "text/plain" },
  { status: 413, body: LARGE },
];
const EVENT = {
  specversion: "1.0",
  id: "e1",
  source: "/worker",
  type: "taskwire.task.progress",
  subject: "t1",
  data: {},
};
const ONE_CLOUD_EVENT = "application/cloudevents+json";
const CLOUD_EVENTS = "application/cloudevents-batch+json";

/** How each operation is driven; what comes is what the document says comes. */
const DRIVES: Readonly<Record<string, readonly Drive[]>> = {
  appendEvents: [
    { status: 202, body: { kind: "created", name: "One", event_id: "1" } },
    { status: 202, body: [{ kind: "started" }, { kind: "progress", total: 2, completed: 1 }] },
    { status: 202, body: { ...EVENT, id: "e0" }, type: ONE_CLOUD_EVENT },
    { status: 202, body: { kind: "completed", result: 1 }, task: "ended" },
    { status: 400, body: { kind: "progress", total: "many" } },
    ...WITH_BODY,
  ],
  appendCloudEvents: [
    { status: 202, body: EVENT, type: ONE_CLOUD_EVENT },
    { status: 202, body: [{ ...EVENT, id: "e2" }], type: CLOUD_EVENTS },
    { status: 400, body: { ...EVENT, subject: "no id" }, type: ONE_CLOUD_EVENT },
    NOBODY,
    FOREIGN,
    { status: 415, body: {} },
    { status: 413, body: LARGE, type: ONE_CLOUD_EVENT },
  ],
  listTasks: [
    { status: 200 },
    { status: 200, query: "?status=running&limit=1&page=1" },
    { status: 200, query: "?at_seq=1" },
    { status: 400, query: "?limit=0" },
    { status: 410, query: "?at_seq=1&at_epoch=another" },
    NOBODY,
    ELSEWHERE,
  ],
  getTask: [
    { status: 200 },
    { status: 200, query: "?at_seq=1" },
    { status: 200, query: `?at_time=${new Date(Date.now() + 60_000).toISOString()}` },
    { status: 400, query: "?at_seq=-1" },
    { status: 404, task: "of_nobody" },
    { status: 410, query: "?at_seq=1&at_epoch=another" },
    NOBODY,
    ELSEWHERE,
  ],
  getHistory: [
    { status: 200, query: "?after_seq=1&limit=10" },
    { status: 400, query: "?limit=many" },
    { status: 404, task: "of_nobody" },
    NOBODY,
    ELSEWHERE,
  ],
  publish: [
    { status: 202, body: { topic: "data:one", key: "a", payload: { close: 1 }, event_id: "p1" } },
    { status: 202, body: [{ topic: "strategy:one", payload: 1 }, { topic: "data:one", payload: null }] },
    { status: 400, body: { topic: "data:one", key: "a b", payload: 1 } },
    { status: 404, body: { topic: "nothing:one", payload: 1 } },
    ...WITH_BODY,
  ],
  listChannels: [{ status: 200 }, NOBODY, ELSEWHERE],
  cancelTask: [
    { status: 202, body: { reason: "enough" } },
    { status: 202 },
    { status: 400, body: { reason: 1 } },
    { status: 404, task: "of_nobody" },
    { status: 409, task: "ended" },
    ...WITH_BODY,
  ],
  makeTicket: [{ status: 201 }, NOBODY, ELSEWHERE],
  stream: [
    { status: 200, query: "?topics=task:status" },
    { status: 400, query: "?topics=task:status&replay=some" },
    { status: 404, query: "?topics=task:nothing" },
    { status: 413, query: `?topics=${Array.from({ length: 300 }, (_, i) => `task:id:t${i}`)}` },
    { status: 403, query: "?topics=task:status", as: "reader" },
    NOBODY,
  ],
  listRejected: [{ status: 200 }, NOBODY, FOREIGN],
  listPlugins: [{ status: 200 }, NOBODY, FOREIGN],
  addPlugin: [
    { status: 201, body: { module: "./src/plugins/examples/task_log.ts" } },
    { status: 409, body: { module: "src/plugins/examples/task_log.ts" } },
    { status: 400, body: { module: "./src/plugins/nowhere.ts" } },
    { status: 400, body: { module: "./plugins/../main.ts" } },
    { status: 400, body: { module: "https://elsewhere.example/plugins/a.ts" } },
    { status: 400, body: { module: "src/plugins/plugin.ts" } },
    { status: 415, body: {}, type: "text/plain" },
    { status: 413, body: LARGE },
    { ...NOBODY, body: { module: "./src/plugins/nowhere.ts" } },
    { ...FOREIGN, body: { module: "./src/plugins/nowhere.ts" } },
  ],
  removePlugin: [
    { status: 200, params: { name: "task_log" } },
    { status: 404, params: { name: "task_log" } },
    { status: 409, params: { name: "tasks" } },
    { ...NOBODY, params: { name: "tasks" } },
    { ...FOREIGN, params: { name: "tasks" } },
  ],
  switchPlugin: [
    { status: 200, params: { name: "second", what: "disable" } },
    { status: 200, params: { name: "first", what: "enable" } },
    { status: 409, params: { name: "second", what: "enable" } },
    { status: 404, params: { name: "third", what: "enable" } },
    { ...NOBODY, params: { name: "first", what: "enable" } },
    { ...FOREIGN, params: { name: "first", what: "enable" } },
  ],
  isAlive: [{ status: 200, as: "nobody" }],
  isReady: [{ status: 200, as: "nobody" }],
  readMetrics: [{ status: 200 }, { status: 200, as: "scraper" }, NOBODY, FOREIGN],
  file_asyncapi_json: [{ status: 200, as: "nobody" }],
  file_openapi_json: [{ status: 200, as: "nobody" }],
};

/** What takes a gateway that is at its bounds, broken or without its log: other tests have those. */
const NOT_HERE = [429, 500, 503, 507];

type Operation = { readonly path: string; readonly method: string; readonly said: Json };

function operationsOf({ document }: Served): ReadonlyMap<string, Operation> {
  const all = Object.entries(membersAt(document, "paths")).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, said]) =>
      isObject(said) ? [[String(said["operationId"]), { path, method, said }] as const] : []
    )
  );
  return new Map(all);
}

/** Drives an operation; says what does not fit the document. */
async function drive(
  live: LiveGateway,
  { document, judge }: Served,
  operation: Operation,
  one: Drive,
): Promise<void> {
  const { path, method } = operation;
  const {
    as = "operator",
    body,
    query = "",
    type = "application/json",
    task = "t1",
    origin,
    params = { task_id: task },
  } = one;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => params[name] ?? "");
  const answer = await fetch(`http://127.0.0.1:${live.port}${filled}${query}`, {
    method: method.toUpperCase(),
    headers: {
      ...(as === "nobody" ? {} : { authorization: `Bearer ${TOKENS[as]}` }),
      ...(body === undefined ? {} : { "content-type": type }),
      ...(origin === undefined ? {} : { origin }),
    },
    ...(body === undefined || method === "get"
      ? {}
      : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const text = isStream ? "" : await answer.text();
  if (isStream) await answer.body?.cancel();
  const where = `${method} ${path}${query.slice(0, 80)}`;
  assertEquals(answer.status, one.status, `${where}: ${text.slice(0, 200)}`);
  const said = `#/paths/${pointed(path)}/${method}/responses/${answer.status}`;
  assert(
    at(document, said) !== undefined,
    `${where} answers ${answer.status}, of which the document says nothing`,
  );
  const mediaType = (answer.headers.get("content-type") ?? "").split(";", 1)[0] ?? "";
  const schema = `${said}/content/${pointed(mediaType)}/schema`;
  assert(
    at(document, schema) !== undefined,
    `${where}: ${answer.status} is ${mediaType}, of which the document says nothing`,
  );
  const value: unknown = mediaType.endsWith("json") ? JSON.parse(text) : text;
  // Of a file nothing more is said.
  assertEquals(isFile(operation) ? [] : judge.at(schema)(value), [], where);
}

Deno.test("every operation of /openapi.json answers as it says", async (t) => {
  await using live = await LiveGateway.start(SETTINGS);
  // Of two that bring the same one at most is there.
  for (const name of ["first", "second"]) {
    live.gateway.pipeline?.plugins.add(definePlugin({ name, namespaces: [{ name: "same" }] }));
    if (name === "first") live.gateway.pipeline?.plugins.disable(name);
  }
  const served = await openApiOf(live);
  const operations = operationsOf(served);
  assertEquals([...operations.keys()].sort(), Object.keys(DRIVES).sort());
  for (const [id, operation] of operations) {
    await t.step(id, async () => {
      const drives = DRIVES[id] ?? [];
      for (const one of drives) await drive(live, served, operation, one);
      const told = Object.keys(membersIn(operation.said["responses"])).map(Number);
      const driven = new Set(drives.map(({ status }) => status));
      const left = told.filter((status) => !driven.has(status) && !NOT_HERE.includes(status));
      // The next test has what has not changed.
      assertEquals(left, isFile(operation) ? [304] : [], "what the document says has been seen");
    });
  }
  assertEquals(live.incidents, []);
});

/** Whether an operation answers with a file. */
function isFile({ path }: Operation): boolean {
  return path.endsWith(".json");
}

Deno.test("a file that has not changed is not sent again, as /openapi.json says", async () => {
  await using live = await LiveGateway.start(SETTINGS);
  for (const name of ["asyncapi", "openapi"]) {
    const url = `http://127.0.0.1:${live.port}/${name}.json`;
    const first = await fetch(url, { headers: { origin: "https://elsewhere.example" } });
    await first.body?.cancel();
    assertEquals(first.headers.get("access-control-allow-origin"), "*");
    const again = await fetch(url, { headers: { "if-none-match": first.headers.get("etag") ?? "" } });
    assertEquals([again.status, await again.text()], [304, ""]);
  }
});

Deno.test("whether a token is asked for is in /openapi.json", async () => {
  const schemes = async (settings: Readonly<Record<string, string>>): Promise<unknown> => {
    await using live = await LiveGateway.start(settings);
    const { document } = await openApiOf(live);
    const of = (pointer: string): unknown => at(document, `#/paths/${pointer}/security`);
    return [of("~1api~1tasks/get"), of("~1api~1stream/get"), of("~1metrics/get"), of("~1healthz/get")];
  };
  assertEquals(await schemes({}), [[], [], [], []]);
  assertEquals(await schemes(SETTINGS), [
    [{ bearer: [] }],
    [{ bearer: [] }, { ticket: [] }],
    [{ bearer: [] }, { metrics: [] }],
    [],
  ]);
});
