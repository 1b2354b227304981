import { openSqliteLog, type SqliteLog } from "../../src/log/sqlite_log.ts";
import { describeEventLog, type LogBench, type LogLimits } from "./contract.ts";

describeEventLog("embedded log", openBench, { lacks: ["publish", "purge", "restart"] });

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
