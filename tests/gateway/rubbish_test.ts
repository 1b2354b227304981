import { assert, assertEquals, assertMatch } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { BareNats } from "./bare_nats.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

/** Something that is no event. Where the server does not take its subject, nobody ever meets it. */
type Rubbish = { readonly subject: string; readonly body: string | Uint8Array; readonly reason: RegExp };

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

const BODIES: readonly (readonly [string | Uint8Array, RegExp])[] = [
  ["not JSON", /^body: must be UTF-8 JSON/],
  ["{", /^body: must be UTF-8 JSON/],
  [new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), /^body: must be UTF-8 JSON/],
  ["null", /^body: must be a JSON object/],
  ["[]", /^body: must be a JSON object/],
  ["3", /^body: must be a JSON object/],
  ['{"completed":"three"}', /^body\.completed: /],
  ['{"completed":-1}', /^body\.completed: /],
  ['{"completed":1e400}', /^body\.completed: /],
  ['{"total":{"valueOf":3}}', /^body\.total: /],
  ['{"attempt":0}', /^body\.attempt: /],
  ['{"attempt":1.5}', /^body\.attempt: /],
  ['{"at":"yesterday"}', /^body\.at: /],
  [`{"current":"${"x".repeat(5_000)}"}`, /^body\.current: /],
  [`{"current":"${"x".repeat(65_536)}"}`, /^body: must be at most 65536 bytes/],
  [`{"more":${"1".repeat(1_000_000)}}`, /^body: must be at most 65536 bytes/],
];

const RUBBISH: readonly Rubbish[] = [
  ...BODIES.map(([body, reason]) => ({ subject: "job.progress", body, reason })),
  { subject: "job.completed", body: `{"result":${nested(65)}}`, reason: /nest at most 64 deep/ },
  { subject: "job.completed", body: `{"result":${nested(30_000)}}`, reason: /nest at most 64 deep/ },
  { subject: "job.created", body: '{"tags":["a b"]}', reason: /^body\.tags/ },
  { subject: "job.created", body: '{"parent_id":"../.."}', reason: /^body\.parent_id/ },
  { subject: "job.failed", body: '{"error":5}', reason: /^body\.error/ },
  { subject: "job.exploded", body: "{}", reason: /^subject: kind must be one of/ },
  { subject: "job.constructor", body: "{}", reason: /^subject: kind must be one of/ },
  { subject: "job.__proto__", body: "{}", reason: /^subject: kind must be one of/ },
  { subject: "job.PROGRESS", body: "{}", reason: /^subject: kind must be one of/ },
  { subject: "job", body: "{}", reason: /^subject: must be task\.<task_id>\.<kind>/ },
  { subject: "job.v2.progress", body: "{}", reason: /^subject: must be task\.<task_id>\.<kind>/ },
  { subject: "日本.progress", body: "{}", reason: /^subject: task_id must be/ },
  { subject: "a:b.progress", body: "{}", reason: /^subject: task_id must be/ },
  { subject: "<b>.progress", body: "<script>", reason: /^subject: task_id must be/ },
  { subject: `${"x".repeat(300)}.progress`, body: "{}", reason: /^subject: task_id must be/ },
  { subject: "\u0007\u001b[2J.progress", body: "{}", reason: /^subject: task_id must be/ },
  { subject: "*.progress", body: "{}", reason: /^subject: / },
  { subject: ">", body: "{}", reason: /^subject: / },
  { subject: ".progress", body: "{}", reason: /^subject: / },
  { subject: "job.", body: "{}", reason: /^subject: / },
  { subject: "..", body: "{}", reason: /^subject: / },
];

/** Subjects that a server may refuse, or lead past the stream. */
const MAYBE = /[*>]|^\.|\.$/;

type Rejected = {
  readonly total: number;
  readonly items: readonly { seq: number; subject: string; reason: string; bytes: number; preview: string }[];
};

async function rejectedBy(gateway: GatewayProcess): Promise<Rejected> {
  const rejected: Rejected = JSON.parse(JSON.stringify(await gateway.get("/api/rejected")));
  return rejected;
}

Deno.test("rubbish on the stream is skipped, counted and listed with its reason, and the next good event is told", async () => {
  await using server = await startNatsServer();
  await using nats = await BareNats.connect(server.url);
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    for (const { subject, body } of RUBBISH) nats.publish(`taskwire.task.${subject}`, body);
    // An id that only looks dangerous is one, and so is a member that nobody knows.
    nats.publish("taskwire.task.__proto__.started", '{"__proto__":{"attempt":7},"constructor":1}');
    nats.publish("taskwire.task.good.started", "");
    await nats.flush();
    await watcher.until("the next good event is told", () => watcher.statuses.length === 2);
    const [proto, good] = watcher.statuses;
    assertEquals([proto?.taskId, good?.taskId], ["__proto__", "good"]);

    const { total, items } = await rejectedBy(gateway);
    const stored = (good?.seq ?? 0) - 2;
    assert(stored >= RUBBISH.filter(({ subject }) => !MAYBE.test(subject)).length);
    assertEquals([total, items.length], [stored, stored]);
    assertEquals(await gateway.metric("taskwire_rejected_events_total"), stored);
    assertEquals(items.map(({ seq }) => seq), items.map(({ seq }) => seq).toSorted((a, b) => b - a));
    for (const { subject, body, reason } of RUBBISH) {
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
      const shown = `task.${subject}`.slice(0, 300);
      const found = items.filter((item) => item.subject === shown && item.bytes === bytes.length);
      if (found.length === 0) assertMatch(subject, MAYBE, `${shown} is listed`);
      else assert(found.some((item) => reason.test(item.reason)), `${subject}: ${found[0]?.reason}`);
      for (const { preview } of found) assert(preview.length <= 200);
    }
    assertEquals(watcher.progress.size, 0);
    assertEquals(watcher.closes, []);

    await gateway.kill();
    await gateway.start();
    const list = await gateway.get("/api/tasks");
    assertEquals(
      JSON.parse(JSON.stringify(list)).tasks.map(({ task_id }: { task_id: string }) => task_id).sort(),
      [
        "__proto__",
        "good",
      ],
    );
    assert((await rejectedBy(gateway)).total > 0, "a start tells what it met too");
  });
});
