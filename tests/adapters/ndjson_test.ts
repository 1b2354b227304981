import { cloudEventKey } from "../../src/task/cloud_event.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { linesOf, MAX_LINE, readLine } from "../../src/adapters/ndjson.ts";
import { cli, CliProcess } from "../cli/cli_process.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { fence } from "../readme.ts";
import { Pasted, taskThatIs } from "./pasted.ts";

const NOBODYS = { taskId: undefined, nowMs: 1_700_000_000_000 };

Deno.test("a line says whose event it is, its kind and its body, or is a CloudEvent", () => {
  const line =
    '{"task_id":"a","kind":"progress","event_id":"e1","completed":3,"at":"2024-01-01T00:00:00Z","mine":1}';
  assertEquals(readLine(line, NOBODYS), {
    event: {
      taskId: "a",
      kind: "progress",
      id: "e1",
      atMs: Date.UTC(2024, 0, 1),
      body: { completed: 3, at: "2024-01-01T00:00:00Z", mine: 1 },
    },
  });
  const cloudEvent = JSON.stringify({
    specversion: "1.0",
    type: "taskwire.task.completed",
    source: "/x",
    subject: "b",
    id: "e2",
    data: { result: 7 },
  });
  const read = readLine(cloudEvent, NOBODYS);
  const id = cloudEventKey({ source: "/x", id: "e2" });
  assertEquals(read, {
    event: { taskId: "b", kind: "completed", id, atMs: NOBODYS.nowMs, body: { result: 7 } },
  });
  assertEquals(readLine('{"kind":"started"}\r', { ...NOBODYS, taskId: "c" }), {
    event: { taskId: "c", kind: "started", atMs: NOBODYS.nowMs, body: {} },
  });
  assertEquals([readLine("", NOBODYS), readLine(" \r", NOBODYS)], [undefined, undefined]);
});

Deno.test("a line that is no event is told by the member and the rule", () => {
  for (
    const [line, refused] of [
      ["started", "must be JSON"],
      ["[]", 'kind: Invalid key: Expected "kind" but received undefined'],
      ['{"kind":"started"}', "task_id: must be given"],
      ['{"kind":"exploded","task_id":"a"}', /^kind: must be one of created, started/],
      ['{"kind":"started","task_id":"a/b"}', "task_id: must be 1–128 characters of A-Za-z0-9_-"],
      ['{"kind":"started","task_id":"a","event_id":""}', "event_id: must be 1–100 visible ASCII characters"],
      ['{"kind":"progress","task_id":"a","total":-1}', /^body\.total: /],
      ['{"specversion":"0.3"}', /^specversion: must be 1\.0|^specversion/],
      ["x".repeat(MAX_LINE + 1), `must be at most ${MAX_LINE} characters`],
    ] as const
  ) {
    const read = readLine(line, NOBODYS);
    const said = read !== undefined && "refused" in read ? read.refused : "";
    if (typeof refused === "string") assertEquals(said, refused);
    else assertMatch(said, refused);
  }
});

Deno.test("lines come whole however their bytes come in, and one that never ends costs no memory", async () => {
  const bytes = new TextEncoder().encode('{"语":1}\n\n{"b":2}');
  for (const size of [1, 2, 5, 100]) {
    const pieces = Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, i) => bytes.slice(i * size, (i + 1) * size),
    );
    assertEquals(await Array.fromAsync(linesOf(ReadableStream.from(pieces))), ['{"语":1}', "", '{"b":2}']);
  }
  const endless = Array.from({ length: 20 }, () => new TextEncoder().encode("x".repeat(100_000)));
  const lines = await Array.fromAsync(linesOf(ReadableStream.from(endless)));
  assertEquals(lines.map(({ length }) => length), [MAX_LINE + 1]);
});

Deno.test("pipe appends what comes in as it comes, tells which lines are none, and ends when all is in the log", async () => {
  await withGateway({}, async (gateway) => {
    const first = '{"kind":"created","name":"By a pipe"}\n{"kind":"progress","completed":1}\n';
    await using process = new CliProcess(["pipe", "fed"], { url: gateway.url, stdin: first });
    const task = async () => Object(await gateway.get("/api/tasks/fed").catch(() => undefined));
    await eventually("what came is there before the input ends", async () => {
      return (await task()).progress?.completed === 1;
    }, 20_000);
    process.signal("SIGINT");
    assertEquals((await process.ended()).code, 130);
    assertEquals((await task()).name, "By a pipe");

    const mixed = 'hello\n{"kind":"completed","task_id":"other"}\n{"kind":"completed","result":1}\n';
    const { code, stdout, stderr } = await cli(["pipe", "fed", "--json"], {
      url: gateway.url,
      stdin: mixed,
      closesStdin: true,
    });
    assertEquals([code, JSON.parse(stdout), stderr], [
      1,
      { stored: 2, refused: 1 },
      "taskwire: line 1: must be JSON\n",
    ]);
    assertEquals([(await task()).status, (await task()).result], ["completed", 1]);
  });
});

Deno.test("the README's lines of JSON run as pasted: those of a shell, and those that a file gets", async () => {
  await withGateway({}, async (gateway) => {
    const { url } = gateway;
    const folder = await Deno.makeTempDir({ prefix: "taskwire-events-" });
    try {
      const file = `${folder}/events.ndjson`;
      const append = (...lines: object[]) =>
        Deno.writeTextFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""), { append: true });
      await append({ task_id: "early", kind: "completed", event_id: "e1" });
      await using tailing = new Pasted(fence("sh tail").replace("/tmp/events.ndjson", file), { url });
      await using shell = new Pasted(fence("sh ndjson"), { url });
      assertEquals(await shell.ended(), 0, shell.said);
      const summed = await taskThatIs(gateway, "checksums-1", "completed");
      assertEquals([summed["name"], summed["result"]], ["Checksums", { files: 3 }]);
      assertEquals(Object(summed["progress"]).current, "deno.json");

      await taskThatIs(gateway, "early", "completed");
      await append({ task_id: "early", kind: "completed", event_id: "e1" }, {
        task_id: "late",
        kind: "started",
      });
      await taskThatIs(gateway, "late", "running");
      assertEquals(Object(await gateway.get("/api/tasks/early/events")).events.length, 1);
      await tailing.end();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
