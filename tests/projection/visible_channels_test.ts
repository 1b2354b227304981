import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Access, Right } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import { CHANNELS, TASKS } from "../../src/channel/built_in.ts";
import { channelSubject } from "../../src/channel/channel_subject.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { LogError, type PageQuery } from "../../src/log/event_log.ts";
import { Channels } from "../../src/projection/channels.ts";
import { Projection } from "../../src/projection/projection.ts";
import { Turns } from "../../src/projection/turns.ts";
import { MAX_LISTED, VisibleChannels } from "../../src/projection/visible_channels.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { eventually } from "../eventually.ts";
import { ManualClock } from "../router/manual_clock.ts";
import { boundsOf } from "./bounds.ts";

function accessTo(patterns: readonly string[], right: Right = "subscribe"): Access {
  return { subject: "me", rights: new Set([right]), scope: Scope.of(patterns) };
}

/** Lists of channels of which everything is known. */
function listsOf(channels: Channels): VisibleChannels {
  const known = (): undefined => undefined;
  const projection = { channels, settle: known, settleByMemory: known };
  return new VisibleChannels({ projection, turns: new Turns(1), after: () => known });
}

const encoder = new TextEncoder();

/** After a start: ended tasks that left memory, of tenants in turn, each with the last line of its notes. */
class Started {
  readonly log = new MemoryLog({ now: () => 0 });
  readonly projection: Projection;
  readonly lists: VisibleChannels;
  readonly turns = new Turns(4);
  readonly clock = new ManualClock();
  /** Reads that began, and the most at once, and those in no turn. */
  readonly reads = { all: 0, atOnce: 0, most: 0, inNoTurn: 0 };

  private constructor() {
    const namespaces = new Namespaces([TASKS, { name: "note", of: "task" }]);
    this.projection = new Projection(this.log, { ...boundsOf({ maxTasks: 1 }), namespaces });
    this.lists = new VisibleChannels({
      projection: this.projection,
      turns: this.turns,
      after: (delayMs, run) => this.clock.after(delayMs, run),
    });
  }

  static async of(tasks: number, tenants: readonly string[]): Promise<Started> {
    const started = new Started();
    const { log, reads } = started;
    const put = (subject: string, body: unknown) =>
      log.put({ subject, body: encoder.encode(JSON.stringify(body)) });
    for (let i = 0; i < tasks; i++) {
      put(`task.t${i}.created`, { tags: [tenants[i % tenants.length]] });
      put(`task.t${i}.completed`, {});
      put(channelSubject({ topic: `task:id:t${i}:note`, key: "" }), i);
    }
    await started.projection.boot();
    assertEquals(started.projection.channels.size, tasks);
    const read = log.read.bind(log);
    log.read = async (query: PageQuery) => {
      reads.all++;
      reads.most = Math.max(reads.most, ++reads.atOnce);
      if (started.turns.running === 0) reads.inNoTurn++;
      return await read(query).finally(() => reads.atOnce--);
    };
    return started;
  }

  /** What a tenant is told: how many in all, and the first. */
  async listed(...patterns: readonly string[]): Promise<unknown> {
    const told = await this.lists.list(accessTo(patterns));
    return "channels" in told && [told.total, told.channels[0]?.topic];
  }
}

Deno.test("a channel about a task is listed for whoever could see the task when its last value came", async () => {
  const channels = new Channels(1_000_000, new Namespaces([{ name: "log", of: "task" }]));
  for (const [i, id] of ["one", "tagged"].entries()) {
    const about = { taskId: id, tags: id === "tagged" ? ["mine"] : [] };
    channels.put({ topic: `task:id:${id}:log`, key: "", seq: i + 1, time: i, json: `${i}` }, about);
  }
  const listed = async (...patterns: readonly string[]): Promise<unknown> => {
    const told = await listsOf(channels).list(accessTo(patterns));
    return "channels" in told && told.channels.map(({ topic }) => topic);
  };
  assertEquals(await listed("task:*"), ["task:id:tagged:log", "task:id:one:log"]);
  assertEquals(await listed("task:tag:mine"), ["task:id:tagged:log"]);
  assertEquals(await listed("task:id:one", "task:tag:other"), ["task:id:one:log"]);
  assertEquals(await listed("log:*", "data:*"), []);
});

Deno.test("of the channels those are listed that somebody may follow, and the one that changed last is first", async () => {
  const namespaces = new Namespaces(CHANNELS);
  namespaces.add({ name: "chat" });
  const channels = new Channels(1_000_000, namespaces);
  const topics = ["data:a", "data:secret", "chat:x", "data:a", "strategy:s1"];
  topics.forEach((topic, i) => channels.put({ topic, key: `k${i}`, seq: i + 1, time: i, json: `${i}` }));
  const listed = async (access: Access): Promise<unknown> => {
    const told = await listsOf(channels).list(access);
    return "refused" in told ? told.refused.code : [told.total, ...told.channels.map(({ topic }) => topic)];
  };
  assertEquals(await listed(accessTo(["*"])), [4, "strategy:s1", "data:a", "chat:x", "data:secret"]);
  assertEquals(await listed(accessTo(["data:a", "strategy:*"])), [2, "strategy:s1", "data:a"]);
  assertEquals(await listed(accessTo(["task:*"])), [0]);
  assertEquals(await listed(accessTo(["*"], "publish")), "FORBIDDEN");
  namespaces.remove("chat");
  assertEquals(await listed(accessTo(["*"])), [3, "strategy:s1", "data:a", "data:secret"]);
  const told = await listsOf(channels).list(accessTo(["data:a"]));
  assertEquals(told, {
    channels: [{ topic: "data:a", keys: 2, seq: 4, time: "1970-01-01T00:00:00.003Z" }],
    total: 1,
  });
});

Deno.test("whose the tasks of channels were is asked once for all who list them, in turn, and waits for no walk over the log", async () => {
  const started = await Started.of(60, ["a", "b"]);
  const { log, projection, reads } = started;
  const walk = new AbortController();
  const follow = log.follow.bind(log);
  log.follow = async function* (from, signal) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return yield* follow(from, signal);
  };
  const walked = projection.learnWhereabouts(walk.signal);
  const lists = ["a", "b", "c", "a"].map((tag) => started.listed(`task:tag:${tag}`));
  assertEquals(await Promise.all(lists), [
    [30, "task:id:t58:note"],
    [30, "task:id:t59:note"],
    [0, undefined],
    [30, "task:id:t58:note"],
  ]);
  assert(reads.all >= 59 && reads.all <= 60, `${reads.all} reads of 60 tasks`);
  assert(reads.most <= 8, `${reads.most} reads at once`);
  assertEquals(reads.inNoTurn, 0);
  assertEquals(started.clock.pending, 0);
  const { all } = reads;
  assertEquals(await started.listed("task:tag:a"), [30, "task:id:t58:note"]);
  assertEquals(reads.all, all, "it stays known");
  walk.abort();
  await walked;
});

Deno.test("who sees tasks by their ids alone, or all of them, gets a list for which nothing is asked of the log", async () => {
  const started = await Started.of(20, ["a"]);
  assertEquals(await started.listed("task:id:t3", "data:*"), [1, "task:id:t3:note"]);
  assertEquals(await started.listed("task:*"), [20, "task:id:t19:note"]);
  assertEquals(started.reads.all, 0);
});

Deno.test("a list waits a second for the log at most; what is not known by then is left out, and is in a later one", async () => {
  const started = await Started.of(20, ["a"]);
  const { log, clock, reads } = started;
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => goOn = resolve);
  log.gate = () => held;
  const first = started.listed("task:tag:a", "task:id:t3");
  await eventually("it asks", () => reads.all === 8);
  clock.advance(1_000);
  assertEquals(await first, [2, "task:id:t19:note"], "that of the task in memory, and that seen by its id");
  goOn();
  await eventually("what was asked is answered", () => reads.atOnce === 0);
  assertEquals(await started.listed("task:tag:a"), [20, "task:id:t19:note"]);
  assertEquals(
    reads.all,
    20 - 1,
    "what was asked for the first list is not asked anew, and one task is in memory",
  );
});

Deno.test("for one list so many tasks are looked up at most, those that changed last first, and the others for the next", async () => {
  const started = await Started.of(MAX_LISTED + 20, ["b"]);
  const [total] = await started.listed("task:tag:b") as [number];
  assert(total >= MAX_LISTED && total < MAX_LISTED + 20, `${total}`);
  assert(started.reads.all <= MAX_LISTED);
  assertEquals(await started.listed("task:tag:b"), [total, `task:id:t${MAX_LISTED + 19}:note`], "it is full");
  assertEquals(await started.listed("task:tag:c"), [0, undefined]);
  assertEquals(await started.listed("task:tag:b"), [MAX_LISTED + 20, `task:id:t${MAX_LISTED + 19}:note`]);
});

Deno.test("where the log is away that is to be asked a list rejects, and the next one asks again", async () => {
  const started = await Started.of(20, ["a"]);
  const { log } = started;
  log.gate = () => Promise.reject(new LogError("unreachable", "it is away"));
  const lists = [started.listed("task:tag:a"), started.listed("task:tag:b")];
  for (const list of lists) await assertRejects(() => list, LogError, "it is away");
  log.gate = () => Promise.resolve();
  assertEquals(await started.listed("task:tag:a"), [20, "task:id:t19:note"]);
});
