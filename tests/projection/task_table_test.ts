import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TaskLists } from "../../src/projection/task_lists.ts";
import { Scope, type TaskNames } from "../../src/access/scope.ts";
import { type Evicted, statusNow, TaskTable, UNDER_WAY_FACTOR } from "../../src/projection/task_table.ts";
import { NO_MARKS } from "../../src/projection/past.ts";
import type { TaskQuery, TaskStatus } from "../../src/protocol/client_frames.ts";
import { TASK_STATUSES } from "../../src/protocol/client_frames.ts";
import type { Tag, TaskId } from "../../src/protocol/names.ts";
import { changeOf, fold, type TaskState } from "../../src/task/fold.ts";
import { isTerminal, statusOf } from "../../src/task/task.ts";
import { arbitraryLog, eventOf, record } from "./events.ts";
import { untagged } from "./task_names.ts";

const TASKS = ["t0", "t1", "t2", "t3", "t4", "t5"];
/** More than there is room for under way. */
const MANY = Array.from({ length: 12 }, (_, i) => `t${i}`);

/** A table beside the plain list of what was put into it. */
class Bench {
  readonly table: TaskTable;
  /** In order of arrival; a reopened task arrives anew. */
  readonly tasks = new Map<string, TaskState>();
  readonly gone: string[] = [];
  /** Where each task last had something to tell. */
  readonly told = new Map<string, number>();
  /** Ended tasks, in the order in which they ended. */
  #ended: string[] = [];

  constructor(maxTasks: number) {
    this.table = new TaskTable(maxTasks);
  }

  /** Puts one event in, as the projection does. */
  say(entry: Parameters<typeof eventOf>[0]): void {
    const event = eventOf(entry);
    const before = this.tasks.get(event.taskId);
    const state = fold(before, event);
    if (state === before) {
      assertEquals(this.table.fold(event), undefined);
      return;
    }
    const change = changeOf(before, state, event);
    if (change.status || change.progress) this.told.set(event.taskId, event.seq);
    this.table.fold(event);
    const ended = isTerminal(statusOf(state));
    const reopened = before !== undefined && isTerminal(statusOf(before)) && !ended;
    if (reopened) this.tasks.delete(event.taskId);
    this.tasks.set(event.taskId, state);
    this.#ended = ended
      ? this.#ended.includes(event.taskId) ? this.#ended : [...this.#ended, event.taskId]
      : this.#ended.filter((id) => id !== event.taskId);
  }

  /** Evicts, and says who should have gone. */
  evict(maxTasks: number): Evicted {
    const ended: TaskNames[] = [];
    while (this.tasks.size > maxTasks) {
      const oldest = this.#ended.shift();
      if (oldest === undefined) break;
      ended.push(this.#drop(oldest));
    }
    const active = [...this.tasks].filter(([, state]) => !isTerminal(statusOf(state))).map(([id]) => id);
    const excess = Math.max(0, active.length - UNDER_WAY_FACTOR * maxTasks);
    const underWay = active.sort((a, b) => this.#toldSeq(a) - this.#toldSeq(b)).slice(0, excess)
      .map((id) => this.#drop(id));
    assertEquals(this.table.evict(), { ended, underWay });
    return { ended, underWay };
  }

  #drop(taskId: string): TaskNames {
    const tags = this.tasks.get(taskId)?.greatest.created?.body.tags ?? [];
    this.tasks.delete(taskId);
    this.gone.push(taskId);
    return { taskId, tags };
  }

  #toldSeq(id: string): number {
    return this.told.get(id) ?? 0;
  }

  /** The naive filter. */
  list({ status, tag, parent_id, type, limit, page, scope }: Asked): { ids: string[]; total: number } {
    const fitting = [...this.tasks].reverse().filter(([taskId, state]) => {
      const about = state.greatest.created?.body;
      return (scope === undefined || scope.sees({ taskId, tags: about?.tags ?? [] })) &&
        (status === undefined || statusOf(state) === status) &&
        (tag === undefined || (about?.tags ?? []).includes(tag)) &&
        (parent_id === undefined || about?.parent_id === parent_id) &&
        (type === undefined || about?.type === type);
    }).map(([id]) => id);
    return { ids: fitting.slice((page - 1) * limit, page * limit), total: fitting.length };
  }
}

type Asked = TaskQuery & { readonly scope: Scope | undefined };

const SCOPES = [
  ["task:tag:a"],
  ["task:tag:a", "task:tag:b"],
  ["task:tag:a*"],
  ["task:id:t1", "task:tag:b"],
  [],
];

const query: fc.Arbitrary<Asked> = fc.record({
  scope: fc.option(fc.constantFrom(...SCOPES.map((patterns) => Scope.of(patterns))), { nil: undefined }),
  status: fc.option(fc.constantFrom<TaskStatus>(...TASK_STATUSES), { nil: undefined }),
  // Well-formed by their spelling here; only their brands are not seen.
  tag: fc.option(fc.constantFrom("a" as Tag, "b" as Tag), { nil: undefined }),
  parent_id: fc.option(fc.constantFrom("p" as TaskId, "q" as TaskId), { nil: undefined }),
  type: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
  limit: fc.integer({ min: 1, max: 4 }),
  page: fc.integer({ min: 1, max: 3 }),
});

Deno.test("whatever was put in, a list is what a naive filter over all tasks would be, newest first, page by page", async () => {
  const queries = fc.array(query, { minLength: 5, maxLength: 5 });
  const inOneGo = fc.constantFrom(1, 2, 100);
  await fc.assert(
    fc.asyncProperty(arbitraryLog(TASKS), queries, inOneGo, async (log, queries, atOnce) => {
      const bench = new Bench(100);
      log.forEach((entry) => bench.say(entry));
      const lists = new TaskLists(() => bench.table, atOnce);
      for (const asked of queries) {
        const { records, total } = await lists.of(asked) ?? { records: [], total: -1 };
        assertEquals({ ids: records.map(({ id }) => id), total }, bench.list(asked));
      }
    }),
  );
});

Deno.test("the indices by status, tag and activity name exactly the tasks that are so", () => {
  fc.assert(fc.property(arbitraryLog(MANY, 60), fc.integer({ min: 1, max: 4 }), (log, maxTasks) => {
    const bench = new Bench(maxTasks);
    for (const entry of log) {
      bench.say(entry);
      if (entry.seq % 3 === 0) bench.evict(maxTasks);
    }
    bench.evict(maxTasks);
    const { table, tasks } = bench;
    assertEquals(table.size, tasks.size);
    const open = [...tasks].filter(([, state]) => !isTerminal(statusOf(state))).map(([id]) => id);
    assertEquals([...table.active()].map(({ id }) => id), open);
    for (const tag of ["a", "b"]) {
      const tagged = [...tasks].filter(([, { greatest }]) =>
        (greatest.created?.body.tags ?? []).some((one) => one === tag)
      );
      assertEquals([...table.tagged(tag)].map(({ id }) => id).sort(), tagged.map(([id]) => id).sort());
    }
    const counts = new Map<TaskStatus, number>();
    for (const state of tasks.values()) counts.set(statusOf(state), (counts.get(statusOf(state)) ?? 0) + 1);
    assertEquals(new Map([...table.counts()].sort()), new Map([...counts].sort()));
    for (const id of bench.gone) assert(table.get(id) !== undefined || table.mayBeEvicted(id));
  }));
});

Deno.test("the orders of those not ended only grow, so that a walk can end at the last that had arrived", () => {
  fc.assert(fc.property(arbitraryLog(TASKS), (log) => {
    const bench = new Bench(100);
    log.forEach((entry) => bench.say(entry));
    const orders = [...bench.table.active()].map(({ order }) => order);
    assertEquals(orders, orders.toSorted((a, b) => a - b));
  }));
});

Deno.test("whoever walks a tag meets a task once, though it is described anew meanwhile", () => {
  const bench = new Bench(100);
  bench.say(record(1, "t0", "created", { tags: ["a"] }));
  bench.say(record(2, "t1", "created", { tags: ["a", "b"] }));
  const met: string[] = [];
  let seq = 2;
  for (const { id } of bench.table.tagged("a")) {
    met.push(id);
    if (met.length < 6) bench.say(record(++seq, id, "created", { tags: ["a"], name: `${seq}` }));
  }
  assertEquals(met, ["t0", "t1"]);
});

Deno.test("nobody leaves before `evict`, and then those that ended first go first, and nobody under way", () => {
  const bench = new Bench(2);
  ["t0", "t1", "t2", "t3"].forEach((id, i) => bench.say(record(i + 1, id, "started")));
  bench.say(record(5, "t2", "failed"));
  bench.say(record(6, "t1", "failed"));
  assertEquals(bench.table.size, 4);
  assertEquals(bench.evict(2), { ended: untagged("t2", "t1"), underWay: [] });
  bench.say(record(7, "t4", "started"));
  assertEquals(bench.evict(2), { ended: [], underWay: [] });
});

Deno.test("of more tasks under way than four times the room those leave that have been silent longest", () => {
  const bench = new Bench(1);
  ["t0", "t1", "t2", "t3"].forEach((id, i) => bench.say(record(i + 1, id, "started")));
  bench.say(record(5, "t0", "progress"));
  bench.say(record(6, "t4", "started"));
  assertEquals(bench.evict(1), { ended: [], underWay: untagged("t1") });
  // Who was looked at as silent says something, or ends, before its turn comes.
  bench.say(record(7, "t2", "progress"));
  bench.say(record(8, "t3", "failed"));
  bench.say(record(9, "t5", "started"));
  assertEquals(bench.evict(1), { ended: untagged("t3"), underWay: [] });
  bench.say(record(10, "t6", "started"));
  assertEquals(bench.evict(1), { ended: [], underWay: untagged("t0") });
  assert(bench.table.mayBeEvicted("t0") && bench.table.mayBeEvicted("t1"));
});

Deno.test("ten thousand tasks too many leave in the order of their silence, without all being looked through for each", () => {
  const table = new TaskTable(2_500);
  for (let i = 0; i < 20_000; i++) {
    const state = fold(undefined, eventOf(record(1, `t${i}`, "started")));
    table.restore(`t${i}`, { ...NO_MARKS, state, statusSeq: 1 + (i * 7_919) % 20_000 });
  }
  const startedMs = performance.now();
  const { ended, underWay } = table.evict();
  const tookMs = performance.now() - startedMs;
  assertEquals(ended, []);
  assertEquals(underWay.length, 10_000);
  assertEquals(
    new Set(underWay.map(({ taskId }) => taskId)),
    new Set(
      Array.from({ length: 20_000 }, (_, i) => i).filter((i) => (i * 7_919) % 20_000 < 10_000).map((i) =>
        `t${i}`
      ),
    ),
  );
  assert(tookMs < 5_000, `${tookMs} ms`);
});

Deno.test("the present frame of a task is made once, until the task changes", () => {
  const table = new TaskTable(10);
  const state = fold(undefined, eventOf(record(1, "t0", "started")));
  const first = table.put("t0", state, undefined);
  const frame = statusNow(first);
  assert(statusNow(first) === frame);
  table.put("t0", fold(state, eventOf(record(2, "t0", "paused"))), undefined);
  assert(statusNow(first) !== frame);
  assertEquals(statusNow(first).frame.type, "task_status");
});
