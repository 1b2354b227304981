import { assertEquals } from "@std/assert";
import type { Client, TasksPage } from "../../src/client/client.ts";
import { MAX_PAST_TASKS, type PastList, pastReader } from "../../src/dashboard/past_list.ts";
import { taskNamed } from "../sample_task.ts";

type Asked = NonNullable<Parameters<Client["getTasks"]>[0]>;

const turn = () => new Promise((resolve) => setTimeout(resolve));

/** A reader whose questions are answered when and how the test says. */
class Reading {
  readonly asked: Asked[] = [];
  readonly told: PastList[] = [];
  readonly #answers: PromiseWithResolvers<TasksPage>[] = [];
  readonly reader = pastReader(
    (query = {}) => {
      this.asked.push(query);
      const answer = Promise.withResolvers<TasksPage>();
      this.#answers.push(answer);
      return answer.promise;
    },
    (list) => this.told.push(list),
  );

  /** The ids that were told last. */
  get ids(): readonly string[] | undefined {
    return this.told.at(-1)?.tasks.map(({ task_id }) => task_id);
  }

  /** Answers the question `nth`, with tasks of these ids. */
  async answer(nth: number, ids: readonly string[], page: Partial<TasksPage> = {}): Promise<void> {
    this.#answers[nth]?.resolve({ tasks: ids.map((id) => taskNamed(id)), total: 9, ...page });
    await turn();
  }

  async refuse(nth: number): Promise<void> {
    this.#answers[nth]?.reject(new Error("no"));
    await turn();
  }
}

Deno.test("a list is read page by page when more is asked for, one at a time, each task once", async () => {
  const reading = new Reading();
  const { reader, asked, told } = reading;
  reader.want(7);
  reader.more();
  await reading.answer(0, ["e", "d"], { next_page: 2, limit: 2 });
  reader.more();
  reader.more();
  await reading.answer(1, ["d", "c"], {
    next_page: 3,
    at: { epoch: "1", seq: 7, truncated: true },
  });
  reader.more();
  await reading.answer(2, ["b"]);
  reader.more();
  assertEquals(asked, [
    { at: { seq: 7 }, limit: 1_000 },
    { at: { seq: 7 }, limit: 2, page: 2 },
    { at: { seq: 7 }, limit: 2, page: 3 },
  ]);
  assertEquals(
    told.map(({ at, tasks, total, hasMore, isTruncated }) => [
      at,
      tasks.map(({ task_id }) => task_id).join(""),
      total,
      hasMore,
      isTruncated,
    ]),
    [
      [7, "ed", 9, true, false],
      [7, "edc", 9, true, true],
      [7, "edcb", 9, false, true],
    ],
  );
});

Deno.test("who has gone on to another position, or back to now, is told nothing of the one before", async () => {
  const reading = new Reading();
  const { reader } = reading;
  reader.want(7);
  await reading.answer(0, ["b"], { next_page: 2 });
  reader.more();
  reader.want(8);
  await reading.answer(2, ["x"]);
  await reading.answer(1, ["a"]);
  assertEquals([reading.told.at(-1)?.at, reading.ids], [8, ["x"]]);
  reader.want(9);
  reader.want(undefined);
  await reading.answer(3, ["y"]);
  assertEquals([reading.told.at(-1)?.at, reading.ids], [undefined, []]);
  reader.want(10);
  reader.stop();
  const { length } = reading.told;
  await reading.answer(4, ["z"]);
  assertEquals(reading.told.length, length);
});

Deno.test("what failed is asked for again only when that is wished, and what was read stays meanwhile", async () => {
  const reading = new Reading();
  const { reader, asked, told } = reading;
  reader.want(7);
  await reading.refuse(0);
  assertEquals([told.at(-1)?.at, String(told.at(-1)?.error)], [7, "Error: no"]);
  reader.more();
  reader.again();
  await reading.answer(1, ["b"], { next_page: 2 });
  reader.more();
  await reading.refuse(2);
  reader.more();
  assertEquals([asked.length, reading.ids, String(told.at(-1)?.error)], [3, ["b"], "Error: no"]);
  reader.again();
  await reading.answer(3, ["a"]);
  assertEquals([reading.ids, told.at(-1)?.error, told.at(-1)?.hasMore], [["b", "a"], undefined, false]);
});

Deno.test("no more are read than are shown", async () => {
  const reading = new Reading();
  const { reader } = reading;
  reader.want(7);
  for (let page = 0; page * 1_000 < MAX_PAST_TASKS; page++) {
    const ids = Array.from({ length: 1_000 }, (_, i) => `t${page}_${i}`);
    await reading.answer(page, ids, { total: 50_000, next_page: page + 2 });
    reader.more();
  }
  const last = reading.told.at(-1);
  assertEquals([last?.tasks.length, last?.total, last?.hasMore], [MAX_PAST_TASKS, 50_000, false]);
  assertEquals(reading.asked.length, MAX_PAST_TASKS / 1_000);
});
