import { assertEquals, assertRejects } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import { type EventLog, LogError } from "../../src/log/event_log.ts";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../eventually.ts";
import { numbered } from "../log/probe.ts";

/** What cannot be read at present. */
type Broken = { boot: boolean; follow: boolean };

/** A real log of which parts cannot be read, as where a page of its file is damaged that is not needed to open it. */
function breaking(log: EventLog, broken: Broken): EventLog {
  const damaged = () => new LogError("damaged", "Cannot read the log: it is damaged");
  return {
    append: (entries) => log.append(entries),
    async *follow(from, signal) {
      if (broken.follow) throw damaged();
      for await (const followed of log.follow(from, signal)) {
        if (broken.follow) throw damaged();
        yield followed;
      }
    },
    read: (query) => broken.boot ? Promise.reject(damaged()) : log.read(query),
    async *lastPerSubject(subject) {
      if (broken.boot) throw damaged();
      yield* log.lastPerSubject(subject);
    },
    extent: () => log.extent(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

/** A gateway on such a log. */
async function gatewayOn(broken: Broken, use: (gateway: Gateway) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-damaged-" });
  const read = readSettings({ PORT: "0", DATA_DIR: dataDir });
  if ("problems" in read) throw new TypeError(read.problems.join("; "));
  const log = createLogger({ level: "error", write: () => {} });
  const gateway = new Gateway({
    settings: read.settings,
    telemetry: createTelemetry({ log, newId: () => crypto.randomUUID() }),
    openLog: async () => breaking(await openSqliteLog(read.settings), broken),
  });
  try {
    await use(gateway);
  } finally {
    await gateway[Symbol.asyncDispose]();
    await Deno.remove(dataDir, { recursive: true });
  }
}

Deno.test("a log that is found damaged as a gateway starts on it ends the start, which trying again would not mend", async () => {
  await gatewayOn({ boot: true, follow: false }, async (gateway) => {
    assertEquals((await assertRejects(() => gateway.ready, LogError)).code, "damaged");
  });
});

Deno.test("a gateway that cannot follow its log says that it is not ready, and goes on when it can", async () => {
  const broken = { boot: false, follow: false };
  await gatewayOn(broken, async (gateway) => {
    await gateway.ready;
    assertEquals(gateway.unreadyReasons, []);
    broken.follow = true;
    await gateway.pipeline?.append(numbered(1));
    await eventually("it says so", () => gateway.unreadyReasons.includes("the log cannot be followed"));
    broken.follow = false;
    await eventually("it goes on", () => gateway.pipeline?.projection.head === 1);
    await eventually("it is ready again", () => gateway.unreadyReasons.length === 0);
  });
});

Deno.test("what lies where the log is damaged is answered with 500, and the gateway lives", async () => {
  const broken = { boot: false, follow: false };
  await gatewayOn(broken, async (gateway) => {
    const { port } = await gateway.listen();
    await gateway.ready;
    await gateway.pipeline?.append(numbered(1, () => "task.a.started"));
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    const isKnown = async () => {
      const response = await ask("/api/tasks/a");
      await response.body?.cancel();
      return response.ok;
    };
    await eventually("the task is known", isKnown);
    broken.boot = true;
    const answer = await ask("/api/tasks/a/events");
    const { code, detail } = await answer.json();
    assertEquals([answer.status, code, detail], [500, "SERVER_ERROR", "the log is damaged"]);
    assertEquals(await isKnown(), true);
  });
});
