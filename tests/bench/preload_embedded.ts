/** Fills an embedded log with the large history. Arguments: folder, events, tasks. */
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { historicEvent } from "./workload.ts";

const BATCH = 1_000;
const encoder = new TextEncoder();

const [dataDir = "", ...counts] = Deno.args;
const [events = 0, tasks = 0] = counts.map(Number);
await using log = await openSqliteLog({
  dataDir,
  survives: "process",
  maxBytes: 10 * 2 ** 30,
  retainAgeMs: 7 * 86_400_000,
  retainPerSubject: 1_000,
  dedupWindowMs: 120_000,
});
for (let from = 0; from < events; from += BATCH) {
  await log.append(Array.from({ length: Math.min(BATCH, events - from) }, (_, i) => {
    const { taskId, kind, body } = historicEvent(from + i, tasks);
    return { subject: `task.${taskId}.${kind}`, body: encoder.encode(body) };
  }));
}
