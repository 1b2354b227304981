import { describeEventLog } from "../log/contract.ts";
import { MemoryLog } from "./memory_log.ts";

// The oracle of the tests beside it is only as good as this log: it holds to the contract of every other.
describeEventLog("memory log", (limits) => {
  let nowMs = Date.now();
  const log = new MemoryLog({ ...limits, now: () => nowMs });
  return Promise.resolve({
    log,
    reopen: () => Promise.resolve(log),
    recreate: () => Promise.resolve(log.recreate()),
    passTime(ms) {
      nowMs += ms;
      return Promise.resolve();
    },
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
    },
  });
}, { lacks: ["restart", "purge", "publish"] });
