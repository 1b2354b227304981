import { assert, assertEquals, assertMatch } from "@std/assert";
import { openSqliteBeside } from "../../src/log/sqlite_beside.ts";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { partitionOf } from "../../src/protocol/partitions.ts";
import { embedded, entriesOf, event, lives, onNats, said, tasksOf } from "../archive/moving.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { cli, CliProcess } from "./cli_process.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-archives-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function append(url: string, task: string, kinds: readonly string[]): Promise<void> {
  for (const kind of kinds) {
    const response = await fetch(`${url}/api/tasks/${task}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind, body: {} }),
    });
    await response.body?.cancel();
    assertEquals(response.status, 202);
  }
}

Deno.test("beside a running gateway that takes events the log is exported, and gone on with; importing is refused", async () => {
  await withFolder(async (folder) => {
    await withGateway({}, async ({ url, dataDir }) => {
      const env = { DATA_DIR: dataDir };
      const file = `${folder}/a.ndjson`;
      await append(url, "a", ["created", "started"]);
      const first = await cli(["export", file, "--json"], { env });
      assertEquals([first.code, first.stderr], [0, ""]);
      assertEquals(JSON.parse(first.stdout).records, 2);
      const running = new CliProcess(["export", file, "--json"], { env });
      await append(url, "b", ["created", "started", "completed"]);
      assertEquals((await running.ended()).code, 0);
      await append(url, "a", ["completed"]);
      const last = await cli(["export", file, "--json"], { env });
      assertEquals([last.code, JSON.parse(last.stdout).records, JSON.parse(last.stdout).through], [0, 6, 6]);
      const into = await cli(["import", file, "--append"], { env });
      assertEquals(into.code, 1);
      assertMatch(into.stderr, /another process holds it/);
      const piped = await cli(["export", "-", "--task", "b"], { env });
      assertEquals([piped.code, piped.stdout.split("\n").length], [0, 6]);
      assertMatch(piped.stderr, /^3 records/);
      const packed = await cli(["export", `${folder}/a.ndjson.gz`], { env });
      assertEquals(packed.code, 0);
    });
    for (const file of ["a.ndjson", "a.ndjson.gz"]) {
      const env = { DATA_DIR: `${folder}/${file}.data` };
      const into = await cli(["import", `${folder}/${file}`, "--json"], { env });
      assertEquals([into.code, into.stderr, JSON.parse(into.stdout).stored], [0, "", 6]);
    }
  });
});

Deno.test("an import that is killed goes on where it was beyond the dedup window", async () => {
  await using nats = await startNatsServer();
  await using source = await embedded();
  await source.append(lives(30, 400));
  const was = await entriesOf(source);
  await withFolder(async (folder) => {
    const file = `${folder}/a.ndjson`;
    assertEquals((await cli(["export", file], { env: { DATA_DIR: source.dataDir } })).code, 0);
    const env = {
      NATS_URL: nats.url,
      STREAM: "KILLED",
      SUBJECT_PREFIX: "killed",
      DEDUP_WINDOW: "100ms",
      RETAIN_AGE: "1d",
      RETAIN_PER_SUBJECT: "1000000",
    };
    await using target = await onNats(nats.url, "KILLED");
    const text = await Deno.readTextFile(file);
    const killed = new CliProcess(["import", "-"], { env, stdin: text.slice(0, text.length * 0.7) });
    await eventually("some of it is stored", async () => (await target.extent()).lastSeq > 2_000);
    // It dies by SIGKILL, amid what is on its way.
    await killed[Symbol.asyncDispose]();
    const before = (await target.extent()).lastSeq;
    assert(before < was.length * 0.8, "it was killed midway");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const rest = await cli(["import", file, "--json"], { env });
    assertEquals([rest.code, rest.stderr], [0, ""]);
    assertEquals(JSON.parse(rest.stdout).known, before);
    const is = await entriesOf(target);
    assertEquals(is.map(said), was.map(said));
    assertEquals(tasksOf(is), tasksOf(was));
  });
});

Deno.test("an export that is interrupted, or killed, leaves a file that the next one goes on with", async () => {
  await using source = await embedded();
  await source.append(lives(60, 600));
  const env = { DATA_DIR: source.dataDir };
  await withFolder(async (folder) => {
    const whole = lives(60, 600).length;
    for (const [signal, code] of [["SIGINT", 130], ["SIGKILL", 137]] as const) {
      const file = `${folder}/${signal}.ndjson`;
      await using running = new CliProcess(["export", file], { env });
      await eventually(
        "something is written",
        () => Deno.stat(file).then(({ size }) => size > 1_000, () => false),
      );
      running.signal(signal);
      const stopped = await running.ended();
      const check = await cli(["import", file, "--check"]);
      if (stopped.code !== 0) {
        assertEquals([stopped.code, check.code], [code, 1]);
        assertMatch(check.stderr, /^cut off: line \d+: /);
      }
      const on = await cli(["export", file, "--json"], { env });
      assertEquals([on.code, JSON.parse(on.stdout).records], [0, whole]);
      assertEquals((await cli(["import", file, "--check"])).code, 0);
    }
  });
});

Deno.test("what cannot be gone on with, read or taken is refused in a sentence, and left as it is", async () => {
  await using source = await embedded();
  await source.append([event("a", "created")]);
  await using other = await embedded();
  await other.append([event("b", "created")]);
  const env = { DATA_DIR: source.dataDir };
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/notes.txt`, "my notes\n");
    await cli(["export", `${folder}/other.ndjson`], { env: { DATA_DIR: other.dataDir } });
    const before = await Deno.readTextFile(`${folder}/other.ndjson`);
    for (
      const [args, settings, rule] of [
        [["export", `${folder}/notes.txt`], env, /line 1 must be the header/],
        [["export", `${folder}/other.ndjson`], env, /another life of it/],
        [["export", `${folder}/x.ndjson`], { DATA_DIR: `${folder}/nowhere` }, /There is no log/],
        [["export", `${folder}/x.ndjson`], { PORT: "many" }, /PORT="many" must be/],
        [["import", `${folder}/nowhere`], { DATA_DIR: `${folder}/new` }, /it is not there/],
      ] as const
    ) {
      const { code, stderr } = await cli(args, { env: settings });
      assertEquals(code, 1);
      assertMatch(stderr, rule);
    }
    assertEquals(await Deno.readTextFile(`${folder}/notes.txt`), "my notes\n");
    assertEquals(await Deno.readTextFile(`${folder}/other.ndjson`), before);
    await using beside = openSqliteBeside(source.dataDir);
    assertEquals((await beside.extent()).lastSeq, 1);
  });
});

Deno.test("a log is moved into partitions by importing it into each, and every record goes to one", async () => {
  await using nats = await startNatsServer({
    config: `mappings: { ${mappingOf({ prefix: "taskwire", partitions: 2 })} }`,
  });
  await withFolder(async (folder) => {
    await using source = await embedded();
    await source.append(lives(12, 5).filter(({ subject }) => subject.startsWith("task.")));
    const file = `${folder}/whole.ndjson`;
    assertEquals((await cli(["export", file], { env: { DATA_DIR: source.dataDir } })).code, 0);
    const all = await entriesOf(source);
    const settings = { NATS_URL: nats.url };
    for (const partition of [0, 1]) {
      const env = { ...settings, PARTITION: `${partition}/2` };
      const of = all.filter(({ subject }) => partitionOf(subject.split(".")[1] ?? "", 2) === partition);
      for (const stored of [of.length, 0]) {
        const { code, stdout, stderr } = await cli(["import", file, "--json"], { env });
        const { passedOver, ...told } = JSON.parse(stdout);
        assertEquals([code, told.stored, passedOver], [0, stored, all.length - of.length]);
        assertMatch(stderr, /records that are not of this partition/);
      }
      const back = `${folder}/${partition}.ndjson`;
      assertEquals((await cli(["export", back], { env })).code, 0);
      const [header = "", ...lines] = (await Deno.readTextFile(back)).trim().split("\n");
      assertEquals(JSON.parse(header).stream, `TASKWIRE_${partition}`);
      const subjects = lines.flatMap((line) => JSON.parse(line).subject ?? []);
      assertEquals(subjects, of.map(({ subject }) => subject));
    }
  });
});
