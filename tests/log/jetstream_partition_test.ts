import { assertEquals, assertStringIncludes } from "@std/assert";
import { openJetStreamLog } from "../../src/log/jetstream_log.ts";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { partitionOf, placeOf } from "../../src/protocol/partitions.ts";
import { startNatsServer } from "../nats_server.ts";
import { connected, optionsOf, PREFIX, STREAM } from "./jetstream_bench.ts";
import { rejection } from "./probe.ts";

const IDS = 4_000;
/** NATS maps the same id by each, below a prefix of its own. */
const COUNTS = [2, 3, 4, 7, 64, 1_000];

/** A task's id: of every length, and of all that may be in one. */
function idOf(i: number): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  let id = "";
  for (let n = i * 2_654_435_761 % 4_294_967_296, j = 0; j <= i % 128; j++, n = n * 31 + 7 & 0x7fffffff) {
    id += letters[n % letters.length];
  }
  return `${id.slice(0, 120)}${i}`;
}

function configOf(...mappings: readonly string[]): string {
  return `mappings: {\n${mappings.join("\n")}\n}`;
}

Deno.test("a task is of the partition to which NATS maps it, whatever its id and however many there are", async () => {
  const mappings = COUNTS.map((partitions) => mappingOf({ prefix: `of${partitions}`, partitions }));
  await using server = await startNatsServer({ jetstream: false, config: configOf(...mappings) });
  await connected(server, async (connection) => {
    const heard = new Map<string, string>();
    connection.subscribe(">", {
      callback: (_error, { subject }) => {
        const [whole = "", part, partition = "", task, id = ""] = subject.split(".");
        if (part === "part" && task === "task") heard.set(`${whole} ${id}`, partition);
      },
    });
    const ids = Array.from({ length: IDS }, (_, i) => idOf(i));
    for (const partitions of COUNTS) {
      for (const id of ids) connection.publish(`of${partitions}.task.${id}.created`, "{}");
      await connection.flush();
    }
    const ours = COUNTS.flatMap((partitions) =>
      ids.map((id) => [`of${partitions} ${id}`, String(partitionOf(id, partitions))] as const)
    );
    assertEquals(heard.size, ours.length);
    assertEquals(ours.filter(([which, partition]) => heard.get(which) !== partition), []);
  });
});

Deno.test("a partition reads its own part, and appends to every one", async () => {
  const partitions = 3;
  const config = configOf(mappingOf({ prefix: PREFIX, partitions }));
  await using server = await startNatsServer({ config });
  const open = (partition: number) =>
    openJetStreamLog(optionsOf(server, "nats", { partition: { partition, partitions } }));
  await using first = await open(0);
  await using second = await open(1);
  await using third = await open(2);
  const logs = [first, second, third];
  const ids = Array.from({ length: 60 }, (_, i) => `t${i}`);
  const body = new TextEncoder().encode("{}");
  const entries = ids.map((id) => ({ subject: `task.${id}.created`, body, id: `once-${id}` }));
  assertEquals((await first.append(entries)).filter(({ duplicate }) => duplicate), []);
  // The same ids are known, whichever gateway says them again.
  assertEquals((await second.append(entries)).filter(({ duplicate }) => !duplicate), []);
  for (const [partition, log] of logs.entries()) {
    const own = ids.filter((id) => partitionOf(id, partitions) === partition);
    const { entries } = await log.read({ after: 0, limit: 100 });
    assertEquals(entries.map(({ subject }) => subject), own.map((id) => `task.${id}.created`));
    assertEquals((await log.extent()).lastSeq, own.length);
  }
  assertEquals(new Set(await Promise.all(logs.map(async (log) => (await log.extent()).epoch))).size, 3);
  // What is to be said once is, by whichever gateway: mapping changes neither the subject's last position nor who counts it.
  const once = [{ subject: "task.t0.failed", body, last: 0 }];
  assertEquals((await second.append(once)).map(({ overtaken }) => overtaken), [undefined]);
  assertEquals((await first.append(once)).map(({ overtaken }) => overtaken), [true]);
  const refused = await rejection(first.append([{ subject: "data.note", body }]));
  assertEquals(refused.code, "refused");
});

Deno.test("a partition that NATS maps elsewhere, or not at all, is refused with the line that is missing", async () => {
  const partition = { partition: 1, partitions: 4 };
  const needed = mappingOf({ prefix: PREFIX, partitions: 4 });
  const mapped = (partitions: number) => configOf(needed.replace("(4,", `(${partitions},`));
  for (const [config, code] of [["", "unreachable"], [mapped(2), "mismatch"], [mapped(8), "unreachable"]]) {
    await using server = await startNatsServer({ config: config ?? "" });
    // Of two partitions the streams are all there, so that NATS has where to bring everything.
    if (config === mapped(2)) {
      for (const own of [0, 1]) {
        const two = { partition: own, partitions: 2 };
        await (await openJetStreamLog(optionsOf(server, "nats", { partition: two })))[Symbol.asyncDispose]();
      }
    }
    const options = optionsOf(server, "nats", { partition, readyWithinMs: 200 });
    const refused = await rejection(openJetStreamLog(options));
    assertEquals(refused.code, code);
    assertStringIncludes(refused.message, needed);
    assertStringIncludes(refused.message, placeOf({ stream: STREAM, prefix: PREFIX }, 1).stream);
  }
});
