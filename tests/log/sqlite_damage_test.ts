import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LogError } from "../../src/log/event_log.ts";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { runToItsEnd } from "../gateway/gateway_process.ts";
import {
  change,
  DAMAGES,
  DAMAGES_AHEAD,
  filesOf,
  killed,
  LIMITS,
  made,
  PAGE,
  page,
  RECORDS,
} from "./damaged_log.ts";
import { numbered, positions, whole } from "./probe.ts";

for (const [what, damage] of Object.entries(DAMAGES)) {
  fact(
    `a log of which ${what} is refused as damaged, says what to do, and is left as it is`,
    async (dataDir) => {
      await made(dataDir);
      await change(`${dataDir}/log.sqlite`, damage);
      await isRefused(dataDir);
    },
  );
}

for (const [what, [file, damage]] of Object.entries(DAMAGES_AHEAD)) {
  fact(
    `a log of which ${what} is refused as damaged, says what to do, and is left as it is`,
    async (dataDir) => {
      await killed(dataDir);
      await change(`${dataDir}/log.sqlite${file}`, damage);
      await isRefused(dataDir);
    },
  );
}

fact(
  "a log that is gone but for its write-ahead log is refused, and what is there stays",
  async (dataDir) => {
    await killed(dataDir);
    await Deno.remove(`${dataDir}/log.sqlite`);
    await isRefused(dataDir);
  },
);

fact("a write-ahead log whose end was torn off costs no more than that end", async (dataDir) => {
  await killed(dataDir);
  await change(`${dataDir}/log.sqlite-wal`, (bytes) => bytes.slice(0, bytes.length - 100));
  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  const kept = (await whole(log, undefined, 1_000)).map(({ seq }) => seq);
  assertEquals(kept, positions(1, kept.length));
  assert(kept.length >= RECORDS / 2, `${kept.length} are left`);
});

fact("a log that was removed, all of it but the lock, begins anew", async (dataDir) => {
  await made(dataDir);
  await Deno.remove(`${dataDir}/log.sqlite`);
  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  assertEquals((await log.extent()).lastSeq, 0);
});

fact("damage that is met while the log is open is told as such, and all else goes on", async (dataDir) => {
  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  // More than SQLite keeps in memory: what is read again is read from the disk.
  const body = new Uint8Array(1_000_000);
  for (let i = 0; i < 60; i++) await log.append([{ subject: `task.t${i}.progress`, body }]);
  using file = await Deno.open(`${dataDir}/log.sqlite`, { write: true });
  await file.seek(10 * PAGE, Deno.SeekMode.Start);
  await file.write(new Uint8Array(500 * PAGE).fill(0xa5));
  const failure = await assertRejects(() => log.read({ after: 0, limit: 10 }), LogError, "damaged");
  assertEquals(failure.code, "damaged");
  const [appended] = await log.append(numbered(1));
  assertEquals(appended?.seq, 61);
  const { entries } = await log.read({ after: 59, limit: 10 });
  assertEquals(entries.map(({ seq }) => seq), [60, 61]);
});

Deno.test("a gateway whose log is damaged ends at once, in one line that says what to do", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-damage-" });
  try {
    await made(dataDir);
    await change(`${dataDir}/log.sqlite`, page(4));
    const before = await filesOf(dataDir);
    const { code, stderr } = await runToItsEnd({}, dataDir);
    const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("Warning"));
    assertEquals([code, lines.length], [1, 1], stderr);
    assertStringIncludes(lines[0] ?? "", "restore it from a backup, or move it away");
    assertEquals(await filesOf(dataDir), before);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function isRefused(dataDir: string): Promise<void> {
  const before = await filesOf(dataDir);
  const refused = await assertRejects(() => openSqliteLog({ ...LIMITS, dataDir }), LogError);
  assertEquals(refused.code, "damaged");
  assertStringIncludes(refused.message, "restore it from a backup, or move it away");
  assertEquals(await filesOf(dataDir), before);
}

/** Registers a fact about the embedded log, in a folder of its own. */
function fact(sentence: string, holds: (dataDir: string) => Promise<void>): void {
  Deno.test(`embedded log: ${sentence}`, async () => {
    const dataDir = await Deno.makeTempDir({ prefix: "taskwire-log-" });
    try {
      await holds(dataDir);
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  });
}
