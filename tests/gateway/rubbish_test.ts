import { assert, assertEquals } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { eventually } from "../worker/eventually.ts";
import { BareNats } from "./bare_nats.ts";
import { withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

/** What anybody with a socket can put on the stream, and a word of the rule that it breaks. */
const RUBBISH: readonly (readonly [subject: string, body: string | Uint8Array, rule: string])[] = [
  ["task.bad.progress", "not json", "JSON"],
  ["task.bad.progress", new Uint8Array([0xff, 0xfe, 0x00]), "JSON"],
  ["task.bad.progress", "[1,2]", "object"],
  ["task.bad.progress", "null", "object"],
  ["task.bad.progress", '{"total":"ten"}', "total"],
  ["task.bad.progress", '{"completed":-1}', "completed"],
  ["task.bad.progress", '{"completed":1e999}', "completed"],
  ["task.bad.progress", '{"attempt":0}', "attempt"],
  ["task.bad.started", '{"at":"yesterday"}', "at"],
  ["task.bad.created", '{"tags":["with space"]}', "tags"],
  ["task.bad.created", `{"tags":${JSON.stringify(Array(17).fill("t"))}}`, "tags"],
  ["task.bad.created", '{"parent_id":"a.b"}', "parent_id"],
  ["task.bad.exploded", "{}", "kind"],
  ["task.bad.constructor", "{}", "kind"],
  ["task.bad.__proto__", "{}", "kind"],
  ["task.bad", "{}", "subject"],
  ["task.bad.progress.more", "{}", "subject"],
  ["task.bäd.progress", "{}", "task_id"],
  ["task.<b>.progress", "{}", "task_id"],
  [`task.${"x".repeat(300)}.progress`, "{}", "task_id"],
  ["task.bad.progress", `{"current":"${"x".repeat(66_000)}"}`, "65536 bytes"],
  ["task.bad.completed", `{"result":${"[".repeat(5_000)}${"]".repeat(5_000)}}`, "deep"],
];

Deno.test("rubbish on the stream is skipped, counted and listed, and the next good event is delivered", async () => {
  await using server = await startNatsServer();
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    await using nats = await BareNats.connect(server.url);
    for (const [subject, body] of RUBBISH) nats.publish(`taskwire.${subject}`, body);
    nats.publish("taskwire.task.good.progress", '{"total":4,"completed":1}');
    await nats.flush();
    await watcher.until("the good one comes", () => watcher.progress.get("good")?.percentage === 25);
    assertEquals([...watcher.progress.keys()], ["good"]);
    assertEquals(watcher.statuses.map(({ taskId }) => taskId), ["good"]);

    assertEquals(await gateway.metric("taskwire_rejected_events_total"), RUBBISH.length);
    const rejected = await gateway.get("/api/rejected") as {
      total: number;
      items: { subject: string; reason: string; bytes: number }[];
    };
    assertEquals(rejected.total, RUBBISH.length);
    const listed = rejected.items.toReversed();
    for (const [i, [subject, , rule]] of RUBBISH.entries()) {
      assert(subject.startsWith(listed[i]?.subject ?? "?"), `${listed[i]?.subject} is not ${subject}`);
      assert(listed[i]?.reason.includes(rule), `${subject}: ${listed[i]?.reason} does not name ${rule}`);
    }
    assertEquals(await gateway.isReady(), true);
  });
});

Deno.test("a gateway that starts on rubbish is ready, and knows what there is besides", async () => {
  await using server = await startNatsServer();
  const settings = { NATS_URL: server.url };
  await withGateway({ settings }, async (gateway) => {
    await using nats = await BareNats.connect(server.url);
    for (const [subject, body] of RUBBISH) nats.publish(`taskwire.${subject}`, body);
    nats.publish("taskwire.task.good.started", "");
    await nats.flush();
    await eventually("it is followed", async () => {
      return await gateway.metric("taskwire_log_followed") === RUBBISH.length + 1;
    });
    await gateway.kill();
    await gateway.start();
    const { tasks, total } = await gateway.get("/api/tasks") as {
      tasks: { task_id: string }[];
      total: number;
    };
    assertEquals([tasks.map((task) => task.task_id), total], [["good"], 1]);
  });
});
