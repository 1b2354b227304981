import { assertEquals, assertMatch } from "@std/assert";
import type { NewEntry } from "../../src/log/event_log.ts";
import { Asking, errorOf, event, NOW_MS } from "./asking.ts";

const at = (seconds: number): string => new Date(NOW_MS + seconds * 1_000).toISOString();

const LIFE: readonly NewEntry[] = [
  event("job1", "created", {
    name: "Import",
    type: "import",
    tags: ["eu", "night"],
    parent_id: "all",
    at: at(0),
  }),
  event("job1", "started", { at: at(1) }),
  event("job1", "progress", { total: 4, completed: 1, current: "b.csv", status: "reading" }),
  event("job1", "completed", {
    result: { rows: 3 },
    progress: { total: 4, completed: 3, failed: 1 },
    at: at(9),
  }),
];

const JOB1 = {
  task_id: "job1",
  status: "completed",
  start_time: at(1),
  end_time: at(9),
  attempt: 1,
  name: "Import",
  type: "import",
  tags: ["eu", "night"],
  parent_id: "all",
  reason: null,
  error: null,
  result: { rows: 3 },
  progress: {
    total: 4,
    completed: 3,
    failed: 1,
    current: null,
    percentage: 100,
    status: null,
    attempt: 1,
    rate: null,
    eta_ms: null,
  },
  created_time: at(0),
  liveness: null,
} as const;

Deno.test("these types are built in, and this is what they cost", async () => {
  await using asking = await Asking.of([]);
  const { registry } = asking;
  assertEquals(Object.fromEntries(registry.types.map((type) => [type, registry.costOf(type)])), {
    auth: 10,
    cancel_task: 1,
    get_history: 5,
    get_task: 1,
    get_tasks: 5,
    ping: 1,
    publish: 1,
    subscribe: 1,
    unsubscribe: 1,
  });
});

Deno.test("ping tells the time, and the position to resume from where there is one", async () => {
  await using asking = await Asking.of(LIFE);
  const pong = (data: object): unknown => ({ kind: "reply", type: "pong", data });
  assertEquals<unknown>(await asking.ask("ping", {}), pong({ server_time: NOW_MS, seq: 4 }));
  const behind = asking.ask("ping", { extra: "is ignored" }, { served: undefined });
  assertEquals<unknown>(await behind, pong({ server_time: NOW_MS }));
});

Deno.test("unsubscribe names topics, whatever they are", async () => {
  await using asking = await Asking.of([]);
  const topics = ["task:progress", "nonsense", "task:progress"];
  assertEquals<unknown>(await asking.ask("unsubscribe", { topics }), { kind: "unsubscribe", topics });
});

Deno.test("get_task tells the whole of a task", async () => {
  await using asking = await Asking.of(LIFE);
  const answer = { kind: "reply", type: "task_status", data: JOB1 };
  assertEquals<unknown>(await asking.ask("get_task", { task_id: "job1" }), answer);
});

Deno.test("get_task tells of a task that only the log has any more", async () => {
  await using asking = await Asking.of(LIFE, { maxTasks: 1 });
  await asking.append(event("job2", "created"), event("job3", "created"));
  const listed = await asking.ask("get_tasks", { status: "completed" });
  assertEquals<unknown>(listed, { kind: "reply", type: "task_list", data: { tasks: [], total: 0 } });
  const answer = { kind: "reply", type: "task_status", data: JOB1 };
  assertEquals<unknown>(await asking.ask("get_task", { task_id: "job1" }), answer);
});

Deno.test("a task of which the log has nothing is not found, nor is its history", async () => {
  await using asking = await Asking.of(LIFE);
  for (const type of ["get_task", "get_history"]) {
    assertEquals<unknown>(await asking.ask(type, { task_id: "job9" }), {
      kind: "error",
      error: { code: "TASK_NOT_FOUND", message: "no task job9", details: { task_id: "job9" } },
      isValid: true,
    });
  }
});

Deno.test("get_tasks tells pages of the tasks that fit all filters, the newest first", async () => {
  await using asking = await Asking.of([
    ...LIFE,
    event("job2", "created", { type: "import", tags: ["eu"] }),
    event("job3", "created", { type: "export", tags: ["eu"], parent_id: "all" }),
    event("job4", "started"),
  ]);
  const list = async (query: object): Promise<unknown[]> => {
    const outcome = await asking.ask("get_tasks", query);
    if (outcome.kind !== "reply" || outcome.type !== "task_list" || !("total" in outcome.data)) {
      throw new TypeError(`Expected a page, got ${JSON.stringify(outcome)}`);
    }
    const { tasks, total, next_page } = outcome.data;
    return [tasks.map(({ task_id }) => task_id).join(" "), total, next_page];
  };
  assertEquals(await list({}), ["job4 job3 job2 job1", 4, undefined]);
  assertEquals(await list({ limit: 3 }), ["job4 job3 job2", 4, 2]);
  assertEquals(await list({ limit: 3, page: 2 }), ["job1", 4, undefined]);
  assertEquals(await list({ limit: 2, page: 2 }), ["job2 job1", 4, undefined]);
  assertEquals(await list({ page: 1_000_000 }), ["", 4, undefined]);
  assertEquals(await list({ tag: "eu" }), ["job3 job2 job1", 3, undefined]);
  assertEquals(await list({ tag: "eu", type: "import" }), ["job2 job1", 2, undefined]);
  assertEquals(await list({ parent_id: "all", status: "pending" }), ["job3", 1, undefined]);
  assertEquals(await list({ status: "running", limit: 1 }), ["job4", 1, undefined]);
  assertEquals(await list({ tag: "nobody" }), ["", 0, undefined]);
});

Deno.test("get_history tells a task's events as they were written, a page at a time", async () => {
  await using asking = await Asking.of([
    event("job1", "created", { name: "Import", colour: "red" }),
    event("other", "started"),
    event("job1", "started"),
    event("job1", "progress", { completed: 1 }),
  ]);
  const time = at(0);
  const [created, started, progress] = [
    { seq: 1, time, kind: "created", body: { name: "Import", colour: "red" } },
    { seq: 3, time, kind: "started", body: {} },
    { seq: 4, time, kind: "progress", body: { completed: 1 } },
  ];
  const page = (data: object): unknown => ({
    kind: "reply",
    type: "task_history",
    data: { task_id: "job1", ...data },
  });
  const ask = async (query: object): Promise<unknown> =>
    await asking.ask("get_history", { task_id: "job1", ...query });
  assertEquals(await ask({}), page({ events: [created, started, progress] }));
  assertEquals(await ask({ limit: 2 }), page({ events: [created, started], next_after_seq: 3 }));
  assertEquals(await ask({ limit: 2, after_seq: 3 }), page({ events: [progress] }));
  assertEquals(await ask({ after_seq: 4 }), page({ events: [] }));
});

Deno.test("subscribe takes every topic once, and starts with the present state unless told otherwise", async () => {
  await using asking = await Asking.of(LIFE);
  const topics = ["task:status", "task:id:job1", "task:tag:eu:progress", "task:list"];
  const subscribed = (start: object): unknown => ({ kind: "subscribe", topics, start });
  const ask = async (more: object): Promise<unknown> =>
    await asking.ask("subscribe", { topics: [...topics, "task:status"], ...more });
  assertEquals(await ask({}), subscribed({ kind: "latest" }));
  assertEquals(await ask({ replay: "latest" }), subscribed({ kind: "latest" }));
  assertEquals(await ask({ replay: "none" }), subscribed({ kind: "none" }));
});

Deno.test("a topic that is none, or not on this path, is refused with all its like, and none is subscribed", async () => {
  await using asking = await Asking.of([]);
  const refused = async (path: string, topics: string[]): Promise<unknown> => {
    const { code, message, details } = errorOf(await asking.ask("subscribe", { topics }, { path }));
    assertEquals([code, message], [
      "TOPIC_NOT_FOUND",
      `no such topic on ${path}: ${details["topics"]}`.split(",")[0],
    ]);
    return details["topics"];
  };
  const nonsense = [
    "",
    "task",
    "task:",
    "task:id:",
    "task:id:a.b",
    "task:id:a:both",
    "task:tag:",
    "TASK:list",
    "other:x",
    "data:x:y",
  ];
  assertEquals(await refused("/ws", ["task:status", ...nonsense]), nonsense);
  assertEquals(await refused("/ws/task", ["task:nothing", "task:list"]), ["task:nothing"]);
  assertEquals(await refused("/ws/data", ["task:list", "task:status"]), ["task:list", "task:status"]);
  assertEquals(await refused("/ws/strategy", ["task:id:job1"]), ["task:id:job1"]);
});

Deno.test("data of the wrong form is refused by the rule that it breaks", async () => {
  await using asking = await Asking.of(LIFE);
  const topics = ["task:list"];
  const cases: readonly (readonly [type: string, data: object, message: RegExp])[] = [
    ["subscribe", {}, /^data\.topics: /],
    ["subscribe", { topics: "task:list" }, /^data\.topics: .*Expected Array/],
    ["subscribe", { topics: [] }, /^data\.topics: /],
    ["subscribe", { topics: [7] }, /^data\.topics\.0: /],
    ["subscribe", { topics: new Array(1_025).fill("task:list") }, /^data\.topics: /],
    ["subscribe", { topics: ["x".repeat(513)] }, /^data\.topics\.0: /],
    ["subscribe", { topics, replay: "some" }, /^data\.replay: /],
    ["subscribe", { topics, since: 3 }, /^data\.since: /],
    ["subscribe", { topics, since: { seq: 3 } }, /^data\.since\.epoch: /],
    ["subscribe", { topics, since: { epoch: "e", seq: -1 } }, /^data\.since\.seq: /],
    ["subscribe", { topics, since: { epoch: "e", seq: 2 ** 53 } }, /^data\.since\.seq: /],
    ["subscribe", { topics, since: { epoch: "e", seq: 1.5 } }, /^data\.since\.seq: /],
    ["subscribe", { topics, since: { epoch: "", seq: 1 } }, /^data\.since\.epoch: /],
    ["unsubscribe", {}, /^data\.topics: /],
    ["unsubscribe", { topics: [null] }, /^data\.topics\.0: /],
    ["get_task", {}, /^data\.task_id: /],
    ["get_task", { task_id: "job 1" }, /^data\.task_id: must be 1–128 characters of A-Za-z0-9_-$/],
    ["get_task", { task_id: "*" }, /^data\.task_id: must be/],
    ["get_task", { task_id: "x".repeat(129) }, /^data\.task_id: must be/],
    ["get_tasks", { status: "done" }, /^data\.status: /],
    ["get_tasks", { tag: "a:b" }, /^data\.tag: must be 1–64/],
    ["get_tasks", { parent_id: "" }, /^data\.parent_id: must be/],
    ["get_tasks", { type: "" }, /^data\.type: /],
    ["get_tasks", { limit: 0 }, /^data\.limit: /],
    ["get_tasks", { limit: 1_001 }, /^data\.limit: /],
    ["get_tasks", { limit: "10" }, /^data\.limit: /],
    ["get_tasks", { page: 0 }, /^data\.page: /],
    ["get_history", { task_id: "job1", limit: 1_001 }, /^data\.limit: /],
    ["get_history", { task_id: "job1", after_seq: -1 }, /^data\.after_seq: /],
    ["get_history", { task_id: ".." }, /^data\.task_id: must be/],
  ];
  for (const [type, data, rule] of cases) {
    const { code, message, details } = errorOf(await asking.ask(type, data));
    assertEquals([code, details], ["INVALID_MESSAGE", {}]);
    assertMatch(message, rule);
  }
});
