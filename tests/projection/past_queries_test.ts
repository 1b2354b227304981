import { assert, assertEquals, assertExists, assertRejects } from "@std/assert";
import fc from "fast-check";
import { LogError } from "../../src/log/event_log.ts";
import type { AsOf, Refused, TaskPage, TaskStatusData } from "../../src/protocol/server_frames.ts";
import { fold, type TaskState } from "../../src/task/fold.ts";
import { statusData } from "../../src/task/task.ts";
import { World } from "../connection/world.ts";
import { boundsOf } from "./bounds.ts";
import { eventOf } from "./events.ts";

const QUERY = { limit: 100, page: 1 };
const RUNS = Number(Deno.env.get("RUNS") ?? 1);

type Told = TaskStatusData & { readonly at: AsOf };
type Page = TaskPage & { readonly at: AsOf };

function told<T extends object>(answer: T | Refused | undefined): T {
  assert(answer !== undefined && !("refused" in answer), JSON.stringify(answer));
  return answer;
}

function refusedBy(answer: object | undefined): unknown {
  assert(answer !== undefined && "refused" in answer, JSON.stringify(answer));
  return answer.refused;
}

const idsOf = ({ tasks }: TaskPage): string[] => tasks.map(({ task_id }) => task_id);

/** Workers that hold to custom: `created` comes first or never, and nothing is said of a past attempt. */
const said = fc.array(
  fc.tuple(
    fc.constantFrom("t0", "t1", "t2"),
    fc.constantFrom("progress", "progress", "progress", "started", "paused", "completed"),
    fc.nat(9),
  ),
  { maxLength: 40, size: "max" },
);

/** What is known of a log of which retention took some. */
class Story {
  readonly world: World;
  readonly #whole = new Map<string, { readonly seq: number; readonly state: TaskState }[]>();

  constructor(world: World) {
    this.world = world;
  }

  /** Puts it all there: t0 and t1 are created, and t2 is not. */
  async tell(events: readonly (readonly [string, string, number])[]): Promise<void> {
    const met = new Set(["t2"]);
    for (const [id, kind, completed] of events) {
      if (!met.has(id)) this.#put(id, "created", { name: id });
      met.add(id);
      this.#put(id, kind, kind === "progress" ? { completed } : {});
      this.world.clock.advance(1);
      await this.world.follow();
    }
  }

  #put(id: string, kind: string, body: object): void {
    const seq = this.world.put(id, kind, body);
    const entry = this.world.log.entries.findLast((one) => one.seq === seq);
    assertExists(entry);
    const states = this.#whole.get(id) ?? [];
    states.push({ seq, state: fold(states.at(-1)?.state, eventOf(entry)) });
    this.#whole.set(id, states);
  }

  /** What a task truly was. */
  truth(id: string, at: number): TaskState | undefined {
    return this.#whole.get(id)?.findLast(({ seq }) => seq <= at)?.state;
  }

  /** Whether the log has anything of it. */
  isRetained(id: string): boolean {
    return this.world.log.entries.some(({ subject }) => subject.startsWith(`task.${id}.`));
  }

  get ids(): string[] {
    return [...this.#whole.keys()];
  }
}

/** How gateways are: with an index of the log or one of their own, with room for all tasks or not. */
const BOUNDS = [boundsOf(), boundsOf({ whereaboutsBytes: 0 }), boundsOf({ maxTasks: 1 })];

Deno.test("a task and the list at any position are the fold of all events up to there", async () => {
  await fc.assert(
    fc.asyncProperty(said, fc.constantFrom(...BOUNDS), async (events, bounds) => {
      const story = new Story(await World.booted({ bounds }));
      await story.tell(events);
      const { past, projection } = story.world;
      for (let seq = 0; seq <= projection.head; seq++) {
        const at = { epoch: projection.epoch, seq, truncated: false };
        const there = [];
        for (const id of ["t0", "t1", "t2"]) {
          const state = story.truth(id, seq);
          const expected = state && { ...statusData(state, undefined), at };
          assertEquals(await past.task(id, { seq }), expected);
          if (state !== undefined) there.push(state);
        }
        const oldest = (state: TaskState) => Math.min(...Object.values(state.greatest).map((one) => one.seq));
        there.sort((one, other) => oldest(other) - oldest(one));
        assertEquals(await past.list(QUERY, { seq }), {
          tasks: there.map((state) => statusData(state, undefined)),
          total: there.length,
          at,
        });
      }
    }),
    { numRuns: 40 * RUNS },
  );
});

Deno.test("whatever retention took, an answer that does not say so is what was", async () => {
  const retention = fc.record({ retainPerSubject: fc.constantFrom(1, 2, 3, 1_000) });
  await fc.assert(
    fc.asyncProperty(
      said,
      fc.constantFrom(...BOUNDS),
      retention,
      fc.nat(20),
      async (events, bounds, retention, dropped) => {
        const story = new Story(await World.booted({ bounds, retention }));
        await story.tell(events);
        story.world.log.dropBefore(dropped);
        const { past, projection } = story.world;
        for (let seq = 0; seq <= projection.head; seq++) {
          for (const id of story.ids) {
            const answer = await past.task(id, { seq });
            const state = story.truth(id, seq);
            if (answer === undefined) assert(state === undefined || !story.isRetained(id), `${id} at ${seq}`);
            else if (!("refused" in answer) && !answer.at.truncated) {
              assertExists(state);
              const { at: _, ...task } = answer;
              assertEquals(task, statusData(state, undefined), `${id} at ${seq}`);
            }
          }
          const page = await past.list(QUERY, { seq });
          if ("refused" in page || page.at.truncated) continue;
          const there = story.ids.flatMap((id) => {
            const state = story.truth(id, seq);
            return state === undefined ? [] : [[id, statusData(state, undefined)] as const];
          });
          assertEquals(
            new Map(page.tasks.map((task) => [task.task_id, task])),
            new Map(there),
            `list at ${seq}`,
          );
        }
      },
    ),
    { numRuns: 150 * RUNS },
  );
});

Deno.test("a position of before what is retained, or of another epoch, is refused, and one beyond the end is the end", async () => {
  const world = await World.booted();
  for (const completed of [1, 2, 3, 4]) world.put("t", "progress", { completed });
  await world.follow();
  world.log.dropBefore(3);
  const { past, projection: { epoch } } = world;
  const gone = {
    code: "LIMIT_EXCEEDED",
    message: "the log reaches back to position 3, and no further",
    details: { limit: "retention", first_seq: 3 },
  };
  assertEquals(refusedBy(await past.task("t", { seq: 2 })), gone);
  assertEquals(refusedBy(await past.list(QUERY, { seq: 0 })), gone);
  assertEquals(refusedBy(await past.task("t", { time: 0 })), gone);
  assertEquals(refusedBy(await past.list(QUERY, { seq: 4, epoch: "other" })), {
    code: "LIMIT_EXCEEDED",
    message: "that position is of another life of the stream",
    details: { limit: "epoch", epoch },
  });
  const last = told<Told>(await past.task("t", { seq: 2 ** 53 - 1, epoch }));
  assertEquals([last.progress.completed, last.at], [4, { epoch, seq: 4, truncated: true }]);
});

Deno.test("what a task was that may have had events before all that is left of it is not told as nothing", async () => {
  const world = await World.booted({ retention: { retainPerSubject: 2 } });
  for (const completed of [1, 2, 3, 4]) world.put("bare", "progress", { completed });
  world.put("whole", "created");
  await world.follow();
  const { past } = world;
  world.log.put({ subject: "task.filler.created", body: new Uint8Array() });
  assertEquals(refusedBy(await past.task("bare", { seq: 2 })), {
    code: "LIMIT_EXCEEDED",
    message: "the log reaches back to position 3, and no further",
    details: { limit: "retention", first_seq: 3 },
  });
  assertEquals(await past.task("whole", { seq: 4 }), undefined, "it was created later");
  assertEquals(await past.task("nobody", { seq: 4 }), undefined);
});

Deno.test("progress that the cap took is missing and said to be", async () => {
  const world = await World.booted({ retention: { retainPerSubject: 2 } });
  world.put("t", "created");
  for (const completed of [1, 2, 3, 4]) world.put("t", "progress", { completed });
  world.put("other", "progress");
  for (let i = 0; i < 3; i++) world.put("late", "progress", { completed: i });
  await world.follow();
  const { past } = world;
  const at = async (seq: number) => {
    const { progress: { completed }, at } = told<Told>(await past.task("t", { seq }));
    return [completed, at.truncated];
  };
  assertEquals([await at(1), await at(3), await at(4), await at(5)], [
    [0, true],
    [0, true],
    [3, false],
    [4, false],
  ]);
  assertEquals(refusedBy(await past.task("late", { seq: 7 })), {
    code: "LIMIT_EXCEEDED",
    message: "what task late was at position 7 may have been retained no longer",
    details: { limit: "retention", task_id: "late" },
  });
  const truncated = async (seq: number) => told<Page>(await past.list(QUERY, { seq })).at.truncated;
  assertEquals([await truncated(3), await truncated(6), await truncated(7), await truncated(9)], [
    true,
    true,
    true,
    false,
  ]);
});

Deno.test("the list of a time long past is filtered by how tasks were then, and paged by the list of then", async () => {
  const world = await World.booted();
  for (const id of ["a", "b", "c", "d"]) {
    world.put(id, "created", { tags: id === "b" ? [] : ["eu"] });
    world.clock.advance(1_000);
  }
  await world.follow();
  const then = world.clock.now();
  world.clock.advance(1);
  for (const id of ["a", "b", "c", "d"]) world.put(id, "completed");
  world.put("e", "created", { tags: ["eu"] });
  await world.follow();
  const ask = async (query: object, at: { seq: number } | { time: number }) =>
    told<Page>(await world.past.list({ ...QUERY, ...query }, at));
  assertEquals(idsOf(await ask({}, { time: then })), ["d", "c", "b", "a"]);
  assertEquals(idsOf(await ask({ status: "completed" }, { time: then })), []);
  const first = await ask({ tag: "eu", status: "pending", limit: 2 }, { seq: 4 });
  assertEquals([idsOf(first), first.total, first.next_page], [["d", "c"], 3, 2]);
  world.put("a", "progress");
  world.put("f", "created", { tags: ["eu"] });
  await world.follow();
  const second = await ask({ tag: "eu", status: "pending", limit: 2, page: 2 }, { seq: 4 });
  assertEquals([idsOf(second), second.total, second.next_page], [["a"], 3, undefined]);
});

Deno.test("tasks that left memory are on the list of the past where it is known that they were, else it says that some are missing", async () => {
  for (
    const [bounds, ids, truncated] of [
      [boundsOf({ maxTasks: 1 }), ["c", "b", "a"], false],
      [boundsOf({ maxTasks: 1, whereaboutsBytes: 0 }), ["c"], true],
    ] as const
  ) {
    const world = await World.booted({ bounds });
    for (const id of ["a", "b", "c"]) world.put(id, "completed");
    await world.follow();
    const page = told<Page>(await world.past.list(QUERY, { seq: 3 }));
    assertEquals([idsOf(page), page.at.truncated], [[...ids], truncated]);
  }
});

Deno.test("a look that takes too long ends with the newest tasks, and says so", async () => {
  const world = await World.booted();
  for (let i = 0; i < 600; i++) world.put(`t${i}`, "started");
  for (let i = 0; i < 600; i++) world.put(`t${i}`, "completed");
  await world.follow();
  let reads = 0;
  world.log.gate = () => {
    if (++reads === 4) world.clock.advance(2_000);
    return Promise.resolve();
  };
  const page = told<Page>(await world.past.list({ limit: 1, page: 1 }, { seq: 600 }));
  assertEquals(page.at.truncated, true);
  assert(page.total > 0 && page.total < 600, `${page.total}`);
  assertEquals(idsOf(page), ["t599"]);
});

Deno.test("lists of the past are looked up one at a time, and when many wait the next is told to come later", async () => {
  const world = await World.booted();
  for (let i = 0; i < 40; i++) world.put(`t${i}`, "started");
  await world.follow();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => world.past.list(QUERY, { seq: i + 1 })),
  );
  const refused = answers.flatMap((answer) => "refused" in answer ? [answer.refused] : []);
  assertEquals(
    refused.map(({ code, details }) => [code, details]),
    new Array(4).fill(["RATE_LIMITED", { retry_after_ms: 1_000 }]),
  );
  assertEquals(told<Page>(await world.past.list(QUERY, { seq: 20 })).total, 20, "later there is room again");
});

Deno.test("while the log is away, or was made again, there is no past, and afterwards there is", async () => {
  const world = await World.booted();
  world.put("t", "started");
  await world.follow();
  const { past } = world;
  world.log.gate = () => Promise.reject(new LogError("unreachable", "away"));
  await assertRejects(() => past.task("t", { seq: 1 }), LogError);
  await assertRejects(() => past.list(QUERY, { seq: 1 }), LogError);
  world.log.gate = () => Promise.resolve();
  assertEquals(idsOf(told<Page>(await past.list(QUERY, { seq: 1 }))), ["t"]);
  world.log.recreate();
  await assertRejects(() => past.list(QUERY, { seq: 1 }), LogError);
  await world.projection.boot();
  await world.projection.learnWhereabouts(new AbortController().signal);
  assertEquals(told<Page>(await past.list(QUERY, { seq: 1 })).tasks, []);
});
