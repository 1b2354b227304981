import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { LogError } from "../../src/log/event_log.ts";
import { AppendQueue } from "../../src/log/sqlite_appends.ts";
import { bootTime } from "../../src/log/sqlite_file.ts";
import { openSqliteLog, type SqliteLog, type SqliteLogOptions } from "../../src/log/sqlite_log.ts";
import { describeEventLog, type LogBench, type LogLimits } from "./contract.ts";
import { startOther } from "./other_process.ts";
import { gathered, numbered, positions, record, until, whole } from "./probe.ts";

const LIMITS: LogLimits = { retainAgeMs: 3_600_000, retainPerSubject: 1_000_000, dedupWindowMs: 120_000 };

describeEventLog("embedded log", openBench, { lacks: ["publish", "purge", "restart"] });

fact("every record acknowledged is there after kill -9, and the epoch is the same", async (dataDir) => {
  await using other = startOther(dataDir);
  const { opened } = await other.said();
  const stored: unknown[] = [];
  while (stored.length < 500) stored.push(await other.said());
  other.kill();
  stored.push(...await other.rest());

  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  const entries = await whole(log, undefined, 1000);
  const found = entries.map((e) => ({ stored: completed(e.body), seq: e.seq }));
  assertEquals(found.slice(0, stored.length), stored);
  assertEquals(found.map((f) => f.seq), positions(1, found.length));
  assertEquals((await log.extent()).epoch, opened);
  assertEquals((await log.append([record("task.a.progress", "n0")])).map((o) => o.duplicate), [true]);
});

fact(
  "a second process, and a second opener in the same one, are refused and disturb nothing",
  async (dataDir) => {
    await using log = await openSqliteLog({ ...LIMITS, dataDir });
    const refused = await assertRejects(
      () => openSqliteLog({ ...LIMITS, dataDir }),
      LogError,
      "another process",
    );
    assertEquals(refused.code, "refused");
    assert(refused.cause instanceof Error);
    // Closing a file in one process may drop that process's locks on it: the refusal above must not have let
    // go.
    await using other = startOther(dataDir);
    const { failed, message } = await other.said();
    assertEquals(failed, "refused");
    assertStringIncludes(String(message), "another process");
    assertEquals(await log.append([record("task.a.x")]), [{ seq: 1, duplicate: false }]);
  },
);

fact("a log whose process was killed may be opened by the next one at once", async (dataDir) => {
  await using other = startOther(dataDir);
  await other.said();
  await assertRejects(() => openSqliteLog({ ...LIMITS, dataDir }), LogError, "another process");
  other.kill();
  await other.rest();
  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  assert((await log.extent()).epoch.length > 0);
});

fact(
  "after the machine went down under it the log has a new epoch; after a good close it has not",
  async (dataDir) => {
    const nextBoot = { bootedAtMs: bootTime() + 3_600_000 };
    const before = await openSqliteLog({ ...LIMITS, dataDir });
    const { epoch } = await before.extent();
    await before[Symbol.asyncDispose]();
    const closedWell = await openSqliteLog({ ...LIMITS, dataDir, ...nextBoot });
    assertEquals((await closedWell.extent()).epoch, epoch);
    await closedWell[Symbol.asyncDispose]();

    await using other = startOther(dataDir);
    await other.said();
    await other.said();
    other.kill();
    await other.rest();
    await using log = await openSqliteLog({ ...LIMITS, dataDir, ...nextBoot });
    const extent = await log.extent();
    assertNotEquals(extent.epoch, epoch);
    assert(extent.lastSeq >= 1);
  },
);

fact("another program's database is refused and left as it is", async (dataDir) => {
  withDatabase(dataDir, (db) => db.exec("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')"));
  const before = await Deno.readFile(`${dataDir}/log.sqlite`);
  const refused = await assertRejects(
    () => openSqliteLog({ ...LIMITS, dataDir }),
    LogError,
    "another program",
  );
  assertEquals(refused.code, "refused");
  assertEquals(await Deno.readFile(`${dataDir}/log.sqlite`), before);
});

fact("a log of another schema version is refused by its number and left as it is", async (dataDir) => {
  await (await openSqliteLog({ ...LIMITS, dataDir }))[Symbol.asyncDispose]();
  withDatabase(dataDir, (db) => db.exec("PRAGMA user_version = 7"));
  const before = await Deno.readFile(`${dataDir}/log.sqlite`);
  const refused = await assertRejects(() => openSqliteLog({ ...LIMITS, dataDir }), LogError, "version 7");
  assertEquals(refused.code, "mismatch");
  assertEquals(await Deno.readFile(`${dataDir}/log.sqlite`), before);
});

fact("a folder that cannot be made is refused", async (dataDir) => {
  await Deno.writeTextFile(`${dataDir}/file`, "");
  const dataDirInFile = `${dataDir}/file/data`;
  const refused = await assertRejects(
    () => openSqliteLog({ ...LIMITS, dataDir: dataDirInFile }),
    LogError,
    "folder",
  );
  assertEquals(refused.code, "refused");
});

fact(
  "a full log refuses appends, goes on being read, and takes them again when there is room",
  async (dataDir) => {
    let clock = Date.now();
    const options = { ...LIMITS, dataDir, maxBytes: 600_000, retainAgeMs: 2000, now: () => clock };
    await using log = await openSqliteLog(options);
    const large = { subject: "task.a.progress", body: new Uint8Array(20_000) };
    let stored = 0;
    const refused = await assertRejects(
      async () => {
        for (; stored < 100; stored++) await log.append([large]);
      },
      LogError,
      "full",
    );
    assertEquals(refused.code, "refused");
    assert(refused.cause instanceof Error);
    assert(stored > 10, `only ${stored} stored`);
    assertEquals((await whole(log)).map((e) => e.seq), positions(1, stored));
    clock += 3000;
    const [outcome] = await until(async () => {
      try {
        return await log.append([large]);
      } catch (error) {
        if (error instanceof LogError && error.code === "refused") return undefined;
        throw error;
      }
    });
    assertEquals(outcome, { seq: stored + 1, duplicate: false });
  },
);

fact("appends of one turn are one group: they share the time they were stored at", async (dataDir) => {
  let clock = Date.now();
  await using log = await openSqliteLog({ ...LIMITS, dataDir, now: () => clock++ });
  await Promise.all(Array.from({ length: 50 }, () => log.append(numbered(3))));
  const times = new Set((await whole(log, undefined, 1000)).map((e) => e.time));
  // One group, unless the machine was so busy that its 5 ms ended it: then a few.
  assert(times.size <= 5, `${times.size} groups`);
});

fact("an id is forgotten the moment its window has passed, swept or not", async (dataDir) => {
  let clock = Date.now();
  await using log = await openSqliteLog({ ...LIMITS, dataDir, now: () => clock });
  await log.append([record("task.a.x", "1")]);
  clock += LIMITS.dedupWindowMs - 1;
  assertEquals(await log.append([record("task.a.x", "1")]), [{ seq: 1, duplicate: true }]);
  clock += 1;
  assertEquals(await log.append([record("task.a.x", "1")]), [{ seq: 2, duplicate: false }]);
  assertEquals(await log.append([record("task.a.x", "1")]), [{ seq: 2, duplicate: true }]);
});

fact("a large append lets the event loop turn between its groups", async (dataDir) => {
  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  const outcomes = await log.append(numbered(5000, (i) => `task.t${i % 100}.progress`));
  clearInterval(ticking);
  assertEquals(outcomes.map((o) => o.seq), positions(1, 5000));
  assert(turns >= 8, `${turns} turns`);
});

fact("closing stores and acknowledges what was appended before", async (dataDir) => {
  const log = await openSqliteLog({ ...LIMITS, dataDir });
  const appended = log.append(numbered(2000));
  await log[Symbol.asyncDispose]();
  assertEquals((await appended).length, 2000);
  await using again = await openSqliteLog({ ...LIMITS, dataDir });
  assertEquals((await again.extent()).lastSeq, 2000);
});

fact(
  "a log that need not outlive the machine acknowledges without the disk and loses nothing on reopening",
  async (dataDir) => {
    const options: SqliteLogOptions = { ...LIMITS, dataDir, survives: "process" };
    const log = await openSqliteLog(options);
    await Promise.all([log.append(numbered(300)), log.append(numbered(300))]);
    await log[Symbol.asyncDispose]();
    await using again = await openSqliteLog(options);
    assertEquals((await whole(again)).map((e) => e.seq), positions(1, 600));
  },
);

fact("a cap that was lowered takes hold of a subject as it is appended to", async (dataDir) => {
  const before = await openSqliteLog({ ...LIMITS, dataDir });
  await before.append([...numbered(150, () => "task.a.x"), record("task.b.x")]);
  await before[Symbol.asyncDispose]();
  await using log = await openSqliteLog({ ...LIMITS, dataDir, retainPerSubject: 10 });
  for (let i = 0; i < 2; i++) await log.append([record("task.a.x")]);
  assertEquals((await whole(log)).map((e) => e.seq), positions(143, 153));
});

fact("thousands of expired records are removed in pieces, and their subjects with them", async (dataDir) => {
  let clock = Date.now();
  await using log = await openSqliteLog({ ...LIMITS, dataDir, retainAgeMs: 60_000, now: () => clock });
  await log.append(numbered(3000, (i) => `task.old${i % 700}.x`));
  clock += 30_000;
  await log.append(numbered(20, (i) => `task.old${i}.x`));
  clock += 40_000;
  await log.append([record("task.new.x")]);
  await until(async () => (await log.extent()).firstSeq === 3001 ? true : undefined);
  assertEquals((await gathered(log.lastPerSubject())).map((e) => e.seq), positions(3001, 3021));
  assertEquals((await whole(log, "task.old5.x")).map((e) => e.seq), [3006]);
});

fact(
  "which positions were moved is known of each archive, across openings, until retention took them",
  async (dataDir) => {
    let clock = Date.now();
    const options = { ...LIMITS, dataDir, retainAgeMs: 60_000, now: () => clock };
    const moved = (name: string, from: number, to: number) =>
      positions(from, to).map((seq) => ({ ...record("task.a.x"), origin: { name, seq } }));
    {
      await using log = await openSqliteLog(options);
      await log.append([...moved("one", 1, 4), record("task.b.x"), ...moved("two", 1, 2)]);
    }
    await using log = await openSqliteLog(options);
    await log.append(moved("two", 2, 4));
    clock += 30_000;
    await log.append([record("task.b.x"), ...moved("one", 7, 9)]);
    assertEquals(await log.moved("one"), {
      through: 9,
      spans: [{ first: 1, last: 4 }, { first: 12, last: 14 }],
    });
    assertEquals(await log.moved("two"), { through: 4, spans: [{ first: 6, last: 10 }] });
    clock += 40_000;
    await until(async () => (await log.extent()).firstSeq === 11 ? true : undefined);
    await log.append([record("task.b.x"), ...moved("one", 10, 11)]);
    assertEquals(await log.moved("one"), {
      through: 11,
      spans: [{ first: 12, last: 14 }, { first: 16, last: 17 }],
    });
    assertEquals(await log.moved("two"), undefined);
    await log.reset();
    await log.append(moved("one", 10, 11));
    assertEquals(await log.moved("one"), { through: 11, spans: [{ first: 1, last: 2 }] });
  },
);

fact(
  "a log of a program that kept no spans opens; none of it is taken for moved, and it is known how far it is",
  async (dataDir) => {
    const moved = (seq: number) => ({ ...record("task.a.x"), origin: { name: "one", seq } });
    {
      await using log = await openSqliteLog({ ...LIMITS, dataDir });
      await log.append([moved(1), record("task.b.x"), moved(2)]);
    }
    withDatabase(dataDir, (db) => db.exec("DROP TABLE moved_spans"));
    await using log = await openSqliteLog({ ...LIMITS, dataDir });
    assertEquals(await log.moved("one"), { through: 2, spans: [] });
    await log.append([moved(3)]);
    assertEquals(await log.moved("one"), { through: 3, spans: [{ first: 4, last: 4 }] });
  },
);

Deno.test("embedded log: appends beyond what may wait are unreachable, the others go on", async () => {
  const queue = new AppendQueue();
  const waiting = queue.add(numbered(100_000));
  const refused = await assertRejects(() => queue.add([record("task.a.x")]), LogError, "keep up");
  assertEquals(refused.code, "unreachable");
  let seq = 0;
  for (const { resolve, outcomes } of drained(queue, () => ({ seq: ++seq, duplicate: false }))) {
    resolve(outcomes);
  }
  assertEquals((await waiting).length, 100_000);
  const next = queue.add([record("task.a.x")]);
  for (const { resolve, outcomes } of drained(queue, () => ({ seq: ++seq, duplicate: false }))) {
    resolve(outcomes);
  }
  assertEquals(await next, [{ seq: 100_001, duplicate: false }]);
});

/** A log in a folder of its own, on a clock that the test moves by hand. */
async function openBench(limits: LogLimits): Promise<LogBench> {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-log-" });
  let clock = Date.now();
  const open = () => openSqliteLog({ ...limits, dataDir, now: () => clock });
  const log = await open();
  let latest: SqliteLog = log;
  return {
    log,
    async reopen() {
      await latest[Symbol.asyncDispose]();
      latest = await open();
      return latest;
    },
    recreate: () => latest.reset(),
    passTime(ms) {
      clock += ms;
      return Promise.resolve();
    },
    async [Symbol.asyncDispose]() {
      await latest[Symbol.asyncDispose]();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

/** Registers a fact about the embedded log alone, in a folder of its own. */
function fact(sentence: string, holds: (dataDir: string) => Promise<void>): void {
  Deno.test({
    name: `embedded log: ${sentence}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const dataDir = await Deno.makeTempDir({ prefix: "taskwire-log-" });
      try {
        await holds(dataDir);
      } finally {
        await Deno.remove(dataDir, { recursive: true });
      }
    },
  });
}

function completed(body: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(body)).completed;
}

function withDatabase(dataDir: string, change: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(`${dataDir}/log.sqlite`);
  change(db);
  db.close();
}

/** Every append that waits, each group put in turn. */
function drained(queue: AppendQueue, put: Parameters<AppendQueue["fill"]>[0]) {
  const filled = [];
  while (!queue.isEmpty) {
    queue.fill(put);
    filled.push(...queue.takeFilled());
  }
  return filled;
}
