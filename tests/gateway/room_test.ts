import { assert, assertEquals } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";
import { eventOf } from "../transport/live_gateway.ts";
import { eventually } from "../eventually.ts";

Deno.test({
  name:
    "more tasks under way than there is room for are warned of once, and measured apart from those that ended",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const dataDir = await Deno.makeTempDir({ prefix: "taskwire-room-" });
    const read = readSettings({ PORT: "0", DATA_DIR: dataDir });
    if ("problems" in read) throw new TypeError(read.problems.join("; "));
    const settings = { ...read.settings, maxTasks: 1 };
    const lines: string[] = [];
    const log = createLogger({ level: "warn", write: (line) => lines.push(line) });
    const telemetry = createTelemetry({ log, newId: () => crypto.randomUUID() });
    {
      await using gateway = new Gateway({
        settings,
        telemetry,
        openLog: () => openSqliteLog({ ...settings, survives: "process" }),
      });
      await gateway.listen();
      await gateway.ready;
      const pipeline = gateway.pipeline;
      assert(pipeline !== undefined);
      await pipeline.append(Array.from({ length: 2 }, (_, i) => eventOf(`e${i}`, "completed")));
      for (let i = 0; i < 7; i++) await pipeline.append([eventOf(`t${i}`, "started")]);
      await eventually("all were followed", () => pipeline.projection.head === 9);
      assertEquals([...pipeline.projection.tasks.all()].map(({ id }) => id), ["t3", "t4", "t5", "t6"]);
      const metrics = await telemetry.metrics();
      assert(/^taskwire_evicted_tasks_under_way_total\S* 3$/m.test(metrics), metrics);
      assert(/^taskwire_evicted_tasks_total\S* 2$/m.test(metrics), metrics);
      assertEquals(lines.filter((line) => line.includes("More tasks are under way")).length, 1, lines.join());
    }
    await Deno.remove(dataDir, { recursive: true });
  },
});
