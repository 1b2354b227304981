import { assert, assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

Deno.test("what retention took of the log is gone from the list too, without a restart", async () => {
  await withGateway({ settings: { RETAIN_AGE: "2s" } }, async (gateway) => {
    await using list = await Watcher.start({ url: gateway.wsUrl, topics: ["task:list"] });
    await gateway.post("old", { kind: "started" });
    const removed = () => list.of("task_list").flatMap(({ data }) => "removed" in data ? data.removed : []);
    await list.until("who watches the list is told", () => removed().includes("old"), 20_000);
    assertEquals(
      (await fetch(`${gateway.url}/api/tasks/old`).then((answer) => answer.json())).code,
      "TASK_NOT_FOUND",
    );
    assertEquals((await gateway.get("/api/tasks") as { total: number }).total, 0);
  });
});

Deno.test("who was away while retention took tasks is told so when it comes back", async () => {
  await withGateway({ settings: { RETAIN_AGE: "2s" } }, async (gateway) => {
    await gateway.post("old", { kind: "started" });
    const before = await Watcher.start({ url: gateway.wsUrl, topics: ["task:list"] });
    const { cursor } = before;
    assert(cursor !== undefined);
    await before[Symbol.asyncDispose]();
    let completed = 0;
    await eventually("it has gone", async () => {
      await gateway.post("young", { kind: "progress", completed: completed++ });
      return (await gateway.get("/api/tasks") as { total: number }).total === 1;
    }, 20_000);
    await using back = await Watcher.start({ url: gateway.wsUrl, topics: ["task:list"], since: cursor });
    const removed = back.of("task_list").flatMap(({ data }) => "removed" in data ? data.removed : []);
    assertEquals([back.of("subscribed")[0]?.data.recovered, back.of("gap").length], [true, 0]);
    assertEquals(removed, ["old"]);
  });
});

Deno.test("a cursor beyond the end of the log is told as a gap, and what comes next is served", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("job", { kind: "started" });
    await using first = await Watcher.start({ url: gateway.wsUrl });
    const { epoch } = first.cursor ?? { epoch: "" };
    await using ahead = await Watcher.start({ url: gateway.wsUrl, since: { epoch, seq: 1_000 } });
    assertEquals(ahead.of("subscribed").map(({ data }) => data.recovered), [false]);
    assertEquals(ahead.of("gap").map(({ data }) => data.reason), ["epoch"]);
    await gateway.post("job", { kind: "completed" });
    await eventually("it is served", () => ahead.statuses.at(-1)?.status === "completed");
    assertEquals(ahead.statuses.map(({ status }) => status), ["running", "completed"]);
  });
});
