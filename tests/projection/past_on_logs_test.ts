import { assert, assertEquals, assertExists } from "@std/assert";
import fc from "fast-check";
import type { Entry, EventLog } from "../../src/log/event_log.ts";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { PastQueries } from "../../src/projection/past_queries.ts";
import { Projection } from "../../src/projection/projection.ts";
import { fold, type TaskState } from "../../src/task/fold.ts";
import { statusData } from "../../src/task/task.ts";
import { openBench } from "../log/jetstream_bench.ts";
import { arbitraryHistory } from "../task/arbitrary_history.ts";
import { boundsOf } from "./bounds.ts";
import { eventOf } from "./events.ts";

const LIMITS = { retainAgeMs: 3_600_000, retainPerSubject: 1_000, dedupWindowMs: 1_000 };
const RUNS = Number(Deno.env.get("RUNS") ?? 1);

const encoder = new TextEncoder();

/** A gateway's memory of a log, that follows it when told to. */
class Follower {
  readonly log: EventLog;
  readonly projection: Projection;
  readonly past: PastQueries;
  readonly entries: Entry[] = [];

  constructor(log: EventLog, whereaboutsBytes: number) {
    this.log = log;
    this.projection = new Projection(log, boundsOf({ whereaboutsBytes }));
    const { retainPerSubject } = LIMITS;
    this.past = new PastQueries(log, this.projection, { retainPerSubject, now: () => performance.now() });
  }

  static async of(log: EventLog, whereaboutsBytes = 10_000_000): Promise<Follower> {
    const follower = new Follower(log, whereaboutsBytes);
    await follower.projection.boot();
    await follower.projection.learnWhereabouts(new AbortController().signal);
    return follower;
  }

  async put(taskId: string, kind: string, body: object): Promise<void> {
    await this.log.append([{
      subject: `task.${taskId}.${kind}`,
      body: encoder.encode(JSON.stringify(body)),
    }]);
  }

  async follow(): Promise<void> {
    const { entries } = await this.log.read({ after: this.projection.head, limit: 1_000 });
    this.entries.push(...entries);
    await this.projection.apply(entries);
  }

  /** A task by a straightforward fold of all of its events up to `at`. */
  folded(taskId: string, at: number): TaskState | undefined {
    let state: TaskState | undefined;
    for (const entry of this.entries) {
      if (entry.seq > at || !entry.subject.startsWith(`task.${taskId}.`)) continue;
      state = fold(state, eventOf(entry));
    }
    return state;
  }
}

/** Two tasks' events, of any kind and in any order. */
const histories = fc.tuple(arbitraryHistory, arbitraryHistory);

/** Holds on `log`: any position, and any time, is told as the fold of all events up to there. */
async function holdsOn(log: EventLog, { whereaboutsBytes, runs, pass }: {
  readonly whereaboutsBytes: number;
  readonly runs: number;
  /** Lets time pass by the log's clock. */
  readonly pass: () => Promise<void>;
}): Promise<void> {
  let follower = await Follower.of(log, whereaboutsBytes);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      histories,
      fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
      async (histories, offsets) => {
        const ids = [`r${++run}a`, `r${run}b`];
        const before = follower.projection.head;
        for (const [i, history] of histories.entries()) {
          for (const { kind, body } of history) await follower.put(ids[i] ?? "", kind, body);
          await pass();
        }
        await follower.follow();
        const { past, projection: { epoch, head } } = follower;
        for (const offset of offsets) {
          const seq = Math.min(head, before + offset);
          const at = { epoch, seq, truncated: false };
          for (const id of ids) {
            const state = follower.folded(id, seq);
            assertEquals(await past.task(id, { seq }), state && { ...statusData(state, undefined), at });
          }
          const time = follower.entries.find((entry) => entry.seq === seq)?.time ?? 0;
          const last = follower.entries.findLast((entry) => entry.time <= time)?.seq ?? 0;
          for (const id of ids) {
            const then = await past.task(id, { time });
            const state = follower.folded(id, last);
            assertEquals(then, state && { ...statusData(state, undefined), at: { ...at, seq: last } });
          }
          const page = await past.list({ limit: 4, page: 1 }, { seq });
          assert(!("refused" in page));
          assertEquals(page.at, at);
          const told = new Map(page.tasks.map((task) => [task.task_id, task]));
          for (const id of ids) {
            const state = follower.folded(id, seq);
            assertEquals(told.get(id), state && statusData(state, undefined), `${id} on the list at ${seq}`);
          }
        }
        if (run % 5 !== 0) return;
        const { entries } = follower;
        follower = await Follower.of(log, whereaboutsBytes); // as a gateway that was started again
        follower.entries.push(...entries);
      },
    ),
    { numRuns: runs * RUNS, endOnFailure: true },
  );
  assertExists(follower.entries[0]);
}

/** Holds on `log`: whose a task was at each position is told by all that it ever was, to a gateway that begins late. */
async function tellsWhose(log: EventLog, whereaboutsBytes: number): Promise<void> {
  const first = await Follower.of(log, whereaboutsBytes);
  const said = [["a"], ["a"], ["b"], [], ["a", "b"]];
  for (const tags of said) {
    for (const id of ["w1", "w2"]) {
      await first.put(id, "created", { tags: id === "w1" ? tags : [] });
      await first.put(id, "progress", { completed: 1 });
    }
  }
  await first.follow();
  const late = await Follower.of(log, whereaboutsBytes);
  for (const { projection } of [first, late]) {
    const whose = await projection.whose(new Map([["w1", 0], ["w2", 0], ["w3", 0]]));
    for (const { seq } of first.entries) {
      for (const id of ["w1", "w2", "w3"]) {
        const tags = first.folded(id, seq)?.greatest.created?.body.tags ?? [];
        assertEquals(whose.get(id)?.at(seq), { taskId: id, tags }, `at ${seq}`);
      }
    }
  }
}

Deno.test("on the embedded log a task, whose it was, and the list at any position and time are the fold of the events up to there", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-past-" });
  try {
    let nowMs = Date.UTC(2024, 0, 1);
    await using log = await openSqliteLog({ ...LIMITS, dataDir, survives: "process", now: () => nowMs });
    const pass = () => Promise.resolve(void (nowMs += 7));
    await holdsOn(log, { whereaboutsBytes: 0, runs: 25, pass });
    await tellsWhose(log, 0);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

for (const [how, whereaboutsBytes] of [["", 10_000_000], [" that remembers nothing", 0]] as const) {
  Deno.test(`so it is on JetStream, for a gateway${how}`, async () => {
    await using bench = await openBench("nats", LIMITS);
    await holdsOn(bench.log, { whereaboutsBytes, runs: 8, pass: () => Promise.resolve() });
    await tellsWhose(bench.log, whereaboutsBytes);
  });
}
