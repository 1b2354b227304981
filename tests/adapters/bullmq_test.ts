import { assert, assertEquals } from "@std/assert";
import { BullmqJobs, bullmqTaskId } from "../../src/adapters/bullmq.ts";
import { parseBody } from "../../src/task/worker_event.ts";

/** What the events of one job say, a word each, each of which gateways accept. */
function story(...events: readonly (readonly [Parameters<BullmqJobs["said"]>[0], object?])[]): string[] {
  const jobs = new BullmqJobs("q");
  return events.flatMap(([name, args], i) => {
    const said = jobs.said(name, { jobId: "1", ...args }, `1700000000000-${i}`);
    if (said === undefined) return [];
    assert("body" in parseBody(said.kind, said.body), JSON.stringify(said));
    assertEquals([said.taskId, said.atMs, said.id], ["q-1", 1_700_000_000_000, `bullmq-1700000000000-${i}`]);
    return [`${said.kind} ${said.body.attempt ?? ""}`.trimEnd()];
  });
}

Deno.test("each attempt of a job is one of its task, whether it failed, stalled, was retried by hand or waited for children", () => {
  assertEquals(
    story(["added", { name: "mail" }], ["waiting"], ["active"], ["progress", { data: 5 }], ["completed"], [
      "removed",
    ]),
    ["created", "started 1", "progress 1", "completed 1"],
  );
  assertEquals(
    story(
      ["added"],
      ["delayed"],
      ["waiting"],
      ["active"],
      ["waiting"],
      ["active"],
      ["delayed"],
      ["waiting"],
      [
        "active",
      ],
      ["failed"],
    ),
    ["created", "started 1", "retrying 2", "started 2", "retrying 3", "started 3", "failed 3"],
  );
  assertEquals(story(["active"], ["failed"], ["waiting"], ["active"], ["completed"]), [
    "started 1",
    "failed 1",
    "retrying 2",
    "started 2",
    "completed 2",
  ]);
  assertEquals(story(["active"], ["waiting-children"], ["waiting"], ["active"], ["removed"]), [
    "started 1",
    "paused 1",
    "resumed 1",
    "started 1",
    "cancelled 1",
  ]);
});

Deno.test("what a job tells as progress is a percentage, counters, or text", () => {
  const jobs = new BullmqJobs("q");
  const told = (data: unknown) => jobs.said("progress", { jobId: "1", data }, "1-0")?.body;
  assertEquals(told(45), { attempt: 1, percentage: 45 });
  assertEquals(told({ total: 9, completed: 3, mine: 1 }), { attempt: 1, total: 9, completed: 3 });
  assertEquals(told("row 7"), { attempt: 1, current: "row 7" });
  assertEquals(told({ completed: "x" }), { attempt: 1, current: '{"completed":"x"}' });
  assertEquals(jobs.said("progress", {}, "1-0"), undefined);
  assertEquals(bullmqTaskId("mail.out", "repeat:7"), "mail_2eout-repeat_3a7");
});
