import { assertEquals, assertMatch } from "@std/assert";
import { Asking, errorOf, event, NOW_MS } from "./asking.ts";

const HISTORY = [
  event("job1", "created", { tags: ["eu"] }),
  event("job1", "progress", { total: 2, completed: 1 }),
  event("job2", "created"),
  event("job1", "completed", { result: 7 }),
];

Deno.test("get_task and get_tasks tell of any position", async () => {
  await using asking = await Asking.of(HISTORY);
  const { epoch } = asking.context();
  const ask = async (type: string, data: object): Promise<object> => {
    const outcome = await asking.ask(type, data);
    if (outcome.kind !== "reply") throw new TypeError(JSON.stringify(outcome));
    return outcome.data;
  };
  const task = async (at: object) => {
    const { status, progress, result, at: asOf } = await ask("get_task", { task_id: "job1", at }) as Told;
    return [status, progress.percentage, progress.rate, result, asOf];
  };
  const asOf = (seq: number) => ({ epoch, seq, truncated: false });
  assertEquals(await task({ seq: 1 }), ["pending", null, null, null, asOf(1)]);
  assertEquals(await task({ seq: 3, epoch }), ["running", 50, null, null, asOf(3)]);
  assertEquals(await task({ seq: 1e9 }), ["completed", 50, null, 7, asOf(4)]);
  assertEquals(await task({ time: new Date(NOW_MS).toISOString() }), ["completed", 50, null, 7, asOf(4)]);
  const list = async (data: object) => {
    const { tasks, total, at } = await ask("get_tasks", data) as ToldOfAll;
    return [tasks.map(({ task_id, status }) => `${task_id} ${status}`).join(), total, at];
  };
  assertEquals(await list({ at: { seq: 2 } }), ["job1 running", 1, asOf(2)]);
  assertEquals(await list({ at: { seq: 3 }, limit: 1 }), ["job2 pending", 2, asOf(3)]);
  assertEquals(await list({ at: { seq: 3 }, status: "completed" }), ["", 0, asOf(3)]);
  assertEquals(await list({ at: { time: NOW_MS - 1 } }), ["", 0, asOf(0)]);
});

type Told = {
  readonly status: string;
  readonly progress: { readonly percentage: number; readonly rate: null };
  readonly result: unknown;
  readonly at: unknown;
};
type ToldOfAll = {
  readonly tasks: readonly { readonly task_id: string; readonly status: string }[];
  readonly total: number;
  readonly at: unknown;
};

Deno.test("a task that was not there yet is not found, and what is gone is refused and is no fault of who asks", async () => {
  await using asking = await Asking.of(HISTORY);
  assertEquals<unknown>(await asking.ask("get_task", { task_id: "job2", at: { seq: 2 } }), {
    kind: "error",
    error: { code: "TASK_NOT_FOUND", message: "no task job2 at that time", details: { task_id: "job2" } },
    isValid: true,
  });
  for (const [type, data] of [["get_task", { task_id: "job1" }], ["get_tasks", {}]] as const) {
    const outcome = await asking.ask(type, { ...data, at: { seq: 1, epoch: "another" } });
    const { code, details } = errorOf(outcome);
    assertEquals([code, details], ["LIMIT_EXCEEDED", { limit: "epoch", epoch: asking.context().epoch }]);
  }
});

Deno.test("a time that is none, or two at once, break a rule", async () => {
  await using asking = await Asking.of(HISTORY);
  const wrong = [
    7,
    "2024-01-01T00:00:00Z",
    {},
    { seq: -1 },
    { seq: "3" },
    { seq: 1, time: 1 },
    { time: -1 },
    { time: "yesterday" },
    { time: "2024-01-01" },
    { time: "2024-13-01T00:00:00Z" },
    { time: 1, epoch: "e" },
  ];
  for (const at of wrong) {
    for (const type of ["get_task", "get_tasks"]) {
      const { code, message } = errorOf(await asking.ask(type, { task_id: "job1", at }));
      assertEquals(code, "INVALID_MESSAGE");
      assertMatch(message, /^data\.at(\.\w+)?: /, JSON.stringify(at));
    }
  }
});
