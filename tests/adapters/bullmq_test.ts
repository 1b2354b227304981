import { EventEmitter } from "node:events";
import { assert, assertEquals, assertMatch } from "@std/assert";
import * as v from "valibot";
import { refused } from "../../deploy/licences.ts";
import { taskId, tell } from "../../src/adapters/bullmq_ndjson.mjs";
import { readLine } from "../../src/adapters/ndjson.ts";
import type { SaidEvent } from "../../src/adapters/forwarder.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { fence } from "../readme.ts";
import { startRedis } from "../redis_server.ts";
import { InstalledShop } from "./installed_shop.ts";
import { Pasted, taskThatIs } from "./pasted.ts";

type Told = readonly [event: string, args?: object];

/** What is written of job 1 of the queue `q` when these events come, which `pipe` understands. */
async function written(told: readonly Told[], queue?: Parameters<typeof tell>[1]): Promise<SaidEvent[]> {
  const events = Object.assign(new EventEmitter(), { name: "q" });
  const lines: string[] = [];
  tell(events, { ...queue, write: (line) => void lines.push(line) });
  told.forEach(([event, args], i) => events.emit(event, { jobId: "1", ...args }, `1700000000000-${i}`));
  // Each takes no more than a few microtasks.
  await new Promise((resolve) => setTimeout(resolve));
  return lines.map((line) => {
    const read = readLine(line, { taskId: undefined, nowMs: 0 });
    assert(read !== undefined && "event" in read, JSON.stringify(read));
    assertEquals([read.event.taskId, read.event.atMs], ["q-1", 1_700_000_000_000]);
    return read.event;
  });
}

async function story(...told: readonly Told[]): Promise<string[]> {
  return (await written(told)).map(({ kind, body }) => `${kind} ${body["attempt"] ?? ""}`.trimEnd());
}

Deno.test("each attempt of a job is one of its task, whether it failed, stalled, was retried by hand or waited for children", async () => {
  assertEquals(
    await story(["added", { name: "mail" }], ["waiting"], ["active"], ["progress", { data: 5 }], [
      "completed",
    ], ["removed"]),
    ["created", "started 1", "progress 1", "completed 1"],
  );
  assertEquals(
    await story(
      ...["added", "delayed", "waiting", "active", "waiting", "active", "delayed", "waiting"]
        .map((event): Told => [event]),
      ["active"],
      ["failed"],
    ),
    ["created", "started 1", "retrying 2", "started 2", "retrying 3", "started 3", "failed 3"],
  );
  assertEquals(await story(["active"], ["failed"], ["waiting"], ["active"], ["completed"]), [
    "started 1",
    "failed 1",
    "retrying 2",
    "started 2",
    "completed 2",
  ]);
  assertEquals(await story(["active"], ["waiting-children"], ["waiting"], ["active"], ["removed"]), [
    "started 1",
    "paused 1",
    "resumed 1",
    "cancelled 1",
  ]);
  assertEquals(await story(["added"], ["waiting-children"], ["waiting"], ["active"]), [
    "created",
    "started 1",
  ]);
});

Deno.test("what a job tells as progress is a percentage, counters, or text, and a result that is too large is left out", async () => {
  const bodies = async (...told: Told[]) =>
    (await written(told)).map(({ body: { attempt: _, at: __, ...rest } }) => rest);
  const progress = (data: unknown): Told => ["progress", { data }];
  assertEquals(
    await bodies(
      progress(45),
      progress({ total: 9, completed: 3, mine: 1, current: "é".repeat(9_000) }),
      progress("row 7"),
      progress({ completed: "x" }),
      progress(null),
    ),
    [
      { percentage: 45 },
      { total: 9, completed: 3, current: "é".repeat(4_096) },
      { current: "row 7" },
      { current: '{"completed":"x"}' },
      { current: "null" },
    ],
  );
  assertEquals(
    await bodies(
      ["completed", { returnvalue: null }],
      ["completed", { returnvalue: "é".repeat(30_000) }],
      ["failed", {}],
    ),
    [{ result: null }, {}, { error: { message: "it failed" } }],
  );
  assertEquals(taskId("mail.out", "repeat:7"), "mail_2eout-repeat_3a7");
  assertEquals([taskId("mail", "7"), taskId("mail-out", "7-a"), taskId("a_b", "-7")], [
    "mail-7",
    "mail--out-7-a",
    "a__b-_2d7",
  ]);
});

Deno.test("no two jobs are one task, whatever they and their queues are called", () => {
  const words = wordsOf([..."a-_.2eh"], 3);
  const jobs = words.flatMap((queue) => words.map((id) => [queue, id] as const));
  const long = "_".repeat(100);
  for (const end of ["", "a", "b"]) jobs.push(["q", long + end], [`q${long}`, end], ["q".repeat(200), end]);
  jobs.push(["˫", "x"], [".b", "x"]);
  const ids = new Set(jobs.map(([queue, id]) => taskId(queue, id)));
  assertEquals(ids.size, jobs.length);
  assertEquals([...ids].filter((id) => !/^[A-Za-z0-9_-]{1,128}$/.test(id)), []);
  // What a long one is written as is no short one's.
  const [, digest = ""] = /_h([0-9a-f]{40})$/.exec(taskId("q", `${long}a`)) ?? [];
  assert(digest !== "" && !ids.has(taskId("q", `${"_".repeat(41)}h${digest}`)));
});

/** All words of these characters, up to so many of them. */
function wordsOf(characters: readonly string[], most: number): string[] {
  let words = [""];
  const all: string[] = [];
  for (let i = 0; i < most; i++) {
    words = words.flatMap((word) => characters.map((character) => word + character));
    all.push(...words);
  }
  return all;
}

Deno.test("of a job that is not known its queue is asked, and a queue that does not answer delays nothing", async () => {
  const asked: string[] = [];
  const answering = (job: object | Error) => ({
    queue: {
      getJob: (id: string) => {
        asked.push(id);
        return job instanceof Error ? Promise.reject(job) : Promise.resolve(job);
      },
    },
  });
  const late: Told[] = [["progress", { data: 1 }], ["completed"]];
  const attempts = async (job: object | Error) =>
    (await written(late, answering(job))).map(({ body }) => body["attempt"]);
  assertEquals(await attempts({ attemptsStarted: 3 }), [3, 3]);
  assertEquals(await attempts(new Error("away")), [1, 1]);
  const child = answering({ attemptsStarted: 2, parent: { id: "7", queueKey: "bull:all.mail" } });
  const [created, started] = await written([["added"], ["active"]], child);
  assertEquals([created?.body["parent_id"], started?.body["attempt"]], ["all_2email-7", 1]);
  assertEquals(asked, ["1", "1", "1"]);
});

Deno.test("jobs of a real queue are tasks by what the README says: those from before it, retries, progress, failures, flows", async () => {
  await using redis = await startRedis();
  await using shop = await InstalledShop.open(redis.url);
  const packages = shop.packages();
  assert(packages.some(({ name }) => name === "bullmq"));
  assertEquals(refused(packages), []);
  // Its first attempt fails, and when it ends the queue retains nothing of what was before.
  await shop.does({ name: "outlasts", options: { attempts: 2 } });
  await shop.does({ name: "arrives" });
  await withGateway({}, async (gateway) => {
    const code = fence("sh bullmq").replaceAll("../shop", shop.folder);
    await using bridge = new Pasted(code, { url: gateway.url, env: { REDIS_URL: redis.url } });
    const outlasted = await taskThatIs(gateway, "mail-1", "completed");
    assertEquals(outlasted["attempt"], 2);
    const arrived = v.parse(Arrived, await taskThatIs(gateway, "mail-2", "completed"));
    assertEquals(arrived, {
      name: "arrives",
      type: "mail",
      attempt: 1,
      result: { sent: 2 },
      progress: { total: 2, completed: 1, percentage: 50 },
    });

    await shop.does({ name: "bounces", options: { attempts: 2, backoff: 20 } });
    const bounced = await taskThatIs(gateway, "mail-3", "failed");
    assertEquals([bounced["attempt"], bounced["error"]], [2, { message: "no such address" }]);
    const history = v.parse(History, await gateway.get("/api/tasks/mail-3/events"));
    assertEquals(history.events.map(({ kind }) => kind), [
      "created",
      "started",
      "retrying",
      "started",
      "failed",
    ]);

    await shop.does({ name: "recovers", options: { attempts: 3 } });
    const recovered = await taskThatIs(gateway, "mail-4", "completed");
    assertEquals([recovered["attempt"], Object(recovered["progress"]).percentage], [2, 75]);

    const parent = await shop.does({ name: "arrives", children: [{ name: "arrives", queueName: "mail" }] });
    await taskThatIs(gateway, `mail-${parent}`, "completed");
    // Tasks overtake each other on the way, events of one never.
    await eventually("its child has ended as well", async () => {
      const { tasks } = v.parse(Tasks, await gateway.get("/api/tasks"));
      const children = tasks.filter(({ parent_id }) => parent_id === `mail-${parent}`);
      return children.length === 1 && children[0]?.status === "completed";
    }, 30_000);

    await bridge.end();
    // And no word of a line that is no event.
    assertMatch(bridge.said, /^Task cli .*\n\d+ events are in the log\n$/);
  });
});

const Arrived = v.object({
  name: v.string(),
  type: v.string(),
  attempt: v.number(),
  result: v.unknown(),
  progress: v.object({ total: v.number(), completed: v.number(), percentage: v.number() }),
});
const History = v.object({ events: v.array(v.object({ kind: v.string() })) });
const Tasks = v.object({
  tasks: v.array(v.object({ status: v.string(), parent_id: v.optional(v.nullable(v.string())) })),
});
