/**
 * Another process on the embedded log in the folder given: says in lines of JSON that it opened it, then each
 * record acknowledged, until it is killed; or why it could not open it, and ends.
 */
import { LogError } from "../../src/log/event_log.ts";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";

const [dataDir = ""] = Deno.args;
const retention = { retainAgeMs: 3_600_000, retainPerSubject: 1_000_000, dedupWindowMs: 120_000 };

async function say(line: unknown): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
}

try {
  await using log = await openSqliteLog({ ...retention, dataDir });
  await say({ opened: (await log.extent()).epoch });
  for (let n = 0;; n++) {
    const body = new TextEncoder().encode(`{"completed":${n}}`);
    const outcomes = await log.append([{ subject: "task.a.progress", body, id: `n${n}` }]);
    await say({ stored: n, seq: outcomes[0]?.seq });
  }
} catch (error) {
  if (!(error instanceof LogError)) throw error;
  await say({ failed: error.code, message: error.message });
}
