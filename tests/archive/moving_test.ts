import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NotEmpty } from "../../src/archive/import_log.ts";
import { positionAt } from "../../src/log/position_at.ts";
import { openSqliteBeside } from "../../src/log/sqlite_beside.ts";
import type { EventLog, NewEntry } from "../../src/log/event_log.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import {
  embedded,
  entriesOf,
  event,
  exportedText,
  importedFrom,
  lives,
  onNats,
  said,
  tasksOf,
  WINDOW_MS,
} from "./moving.ts";

let server: NatsServer | undefined;

async function natsLog(stream: string): Promise<EventLog> {
  return await onNats(server?.url ?? "", stream);
}

Deno.test.beforeAll(async () => void (server = await startNatsServer()));
Deno.test.afterAll(async () => await server?.[Symbol.asyncDispose]());

/** The window in which ids are known is over. */
async function windowPassed(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2 * WINDOW_MS));
}

Deno.test("what moves from embedded to NATS and back makes the same tasks, with the same times", async () => {
  let now = 1_750_000_000_000;
  await using source = await embedded(() => now++);
  for (const entry of lives(30, 40)) await source.append([entry]);
  await using nats = await natsLog("THERE");
  await using back = await embedded();
  const records = lives(30, 40).length;
  const first = await exportedText(source);
  assertEquals(first.result.records, records);
  assertEquals((await importedFrom(first.text, nats)).stored, records);
  const second = await exportedText(nats);
  assertEquals((await importedFrom(second.text, back)).stored, records);
  const [before, there, after] = [await entriesOf(source), await entriesOf(nats), await entriesOf(back)];
  assertEquals(there.map(said), before.map(said));
  const [named] = (await nats.read({ after: 6, limit: 1, ids: true })).entries;
  assertEquals(named?.id, `archive:${(await source.extent()).epoch}:7`);
  assertEquals(after.map(said), before.map(said));
  assertEquals(tasksOf(there), tasksOf(before));
  assertEquals(tasksOf(after), tasksOf(before));
  // What had said when it happened, or is no event, is the same to the byte; and from the second time on everything is.
  assertEquals(after.map(({ body }) => [...body]), there.map(({ body }) => [...body]));
  const timed = before.flatMap(({ body }, i) => new TextDecoder().decode(body).includes('"at"') ? [i] : []);
  assert(timed.length > 0);
  for (const i of [...timed, before.length - 3, before.length - 1]) {
    assertEquals(there[i]?.body, before[i]?.body);
  }
});

for (const where of ["embedded", "NATS"] as const) {
  Deno.test(`an import that was cut off goes on without doubles beyond the dedup window: ${where}`, async () => {
    await using source = await embedded();
    await source.append(lives(10, 500));
    await using target = where === "NATS" ? await natsLog("CUT") : await embedded();
    const { text } = await exportedText(source);
    const cut = text.slice(0, text.length / 2);
    const begun = await importedFrom(cut, target);
    assert(
      begun.cut !== undefined && begun.stored >= 1_000 && begun.stored % 1_000 === 0,
      "whole checkpoints",
    );
    // Others write beside it.
    await target.append([event("live", "created"), event("live", "started")]);
    await windowPassed();
    const rest = await importedFrom(text, target);
    assertEquals([rest.known, rest.broken.count], [begun.stored, 0]);
    await windowPassed();
    const again = await importedFrom(text, target);
    assertEquals([again.stored, again.known], [0, begun.stored + rest.stored]);
    const moved = (await entriesOf(target)).filter(({ subject }) => !subject.startsWith("task.live."));
    assertEquals(moved.map(said), (await entriesOf(source)).map(said));
  });
}

Deno.test("an import goes on though retention took older events of the same kind from the target", async () => {
  await using source = await embedded();
  await source.append(lives(2, 900));
  const { text } = await exportedText(source);
  await using target = await natsLog("TRIMMED");
  await importedFrom(text, target);
  const entries = await entriesOf(target);
  // As a cap of a few events for each subject would have it.
  const newest = new Map(entries.map(({ subject, seq }) => [subject, seq]));
  const trimmed: EventLog["read"] = async (query) => {
    const page = await target.read(query);
    return {
      ...page,
      entries: page.entries.filter(({ subject, seq }) => seq > (newest.get(subject) ?? 0) - 5),
    };
  };
  const capped = new Proxy(target, {
    get: (log, name) => name === "read" ? trimmed : Reflect.get(log, name).bind(log),
  });
  await windowPassed();
  assertEquals((await importedFrom(text, capped)).stored, 0);
});

for (const where of ["embedded", "NATS"] as const) {
  Deno.test(`a task that the target has from elsewhere is left as it is, also when the import goes on: ${where}`, async () => {
    await using source = await embedded();
    await source.append(lives(4, 400));
    await using target = where === "NATS" ? await natsLog("OTHERS") : await embedded();
    await target.append([event("t1", "created"), event("t1", "progress", { completed: 900 })]);
    const { text } = await exportedText(source);
    const begun = await importedFrom(text.slice(0, text.length * 0.8), target, { append: true });
    assertEquals(begun.thereAlready.first, ["t1"]);
    // A task that came from the archive and went on in the target is the target's now.
    await target.append([event("t2", "progress", { completed: 1_000 })]);
    await windowPassed();
    const moved = await entriesOf(target);
    const rest = await importedFrom(text, target);
    assertEquals([...rest.thereAlready.first].sort(), ["t1", "t2"]);
    const of = (task: string, all: Awaited<ReturnType<typeof entriesOf>>) =>
      all.filter(({ subject }) => subject.startsWith(`task.${task}.`));
    const [was, is] = [await entriesOf(source), await entriesOf(target)];
    assertEquals(of("t1", is).length, 2);
    assertEquals(of("t2", is), of("t2", moved));
    for (const task of ["t0", "t3"]) assertEquals(of(task, is).map(said), of(task, was).map(said));
  });
}

for (const where of ["embedded", "NATS"] as const) {
  Deno.test(`channels come with their task, and what the target has from elsewhere stays as it is: ${where}`, async () => {
    const value = (subject: string, text: string) => ({
      subject,
      body: new TextEncoder().encode(`"${text}"`),
    });
    await using source = await embedded();
    await source.append([
      event("mine", "created"),
      event("shared", "created", { tags: ["a"] }),
      value("data.price", "old"),
      value("data.price.x", "old"),
      value("data.new", "old"),
      value("data.~task.log.shared", "a secret of the first tenant"),
      value("data.~task.log.mine", "my line"),
      value("data.~task.log.bare", "of a task without events"),
    ]);
    const only = await exportedText(source, { task: "mine" });
    await using alone = await embedded();
    await importedFrom(only.text, alone);
    const subjects = async (log: Parameters<typeof entriesOf>[0]) =>
      (await entriesOf(log)).map(({ subject }) => subject);
    assertEquals(await subjects(alone), ["task.mine.created", "data.~task.log.mine"]);

    await using target = where === "NATS" ? await natsLog("CHANNELS") : await embedded();
    const there = [
      event("shared", "created", { tags: ["b"] }),
      value("data.price.y", "new"),
      value("data.~task.log.bare", "there already"),
    ];
    await target.append(there);
    const { text } = await exportedText(source);
    const { thereAlready } = await importedFrom(text, target, { append: true });
    assertEquals(await subjects(target), [
      ...there.map(({ subject }) => subject),
      "task.mine.created",
      "data.new",
      "data.~task.log.mine",
    ]);
    assertEquals([thereAlready.count, thereAlready.records], [3, 5]);
    assertEquals([...thereAlready.first].sort(), ["data:price", "shared", "task:id:bare:log"]);
  });
}

for (const where of ["embedded", "NATS"] as const) {
  Deno.test(`of a move in two steps, what the target got by itself in between stays as it is: ${where}`, async () => {
    const value = (subject: string, text: string) => ({
      subject,
      body: new TextEncoder().encode(`"${text}"`),
    });
    const on = (task: string, tag: string, line: string): NewEntry[] => [
      event(task, "created", { tags: [tag] }),
      value(`data.~task.log.${task}`, line),
    ];
    await using source = await embedded();
    await source.append([
      ...on("first", "a", "1"),
      ...on("line", "a", "1"),
      value("data.price", "1"),
      value("data.shares.x", "1"),
    ]);
    await using target = where === "NATS" ? await natsLog("STEPS") : await embedded();
    const begun = await importedFrom((await exportedText(source)).text, target);
    assertEquals(begun.stored, 6);

    // Each side goes on, with the same names. A value of one key is of the whole channel.
    await target.append([
      ...on("both", "b", "a secret of the second tenant"),
      event("both", "completed", { result: { secret: "of b" } }),
      value("data.~task.log.line", "new"),
      value("data.price", "new"),
      value("data.shares.y", "new"),
    ]);
    await source.append([
      ...on("both", "a", "2"),
      event("first", "completed"),
      event("line", "completed"),
      value("data.~task.log.line", "2"),
      value("data.price", "2"),
      value("data.shares.x", "2"),
      ...on("fresh", "a", "2"),
    ]);
    await windowPassed();
    const before = await entriesOf(target);
    const rest = await importedFrom((await exportedText(source)).text, target, { append: true });
    assertEquals([rest.known, rest.stored, rest.thereAlready.records], [6, 4, 5]);
    assertEquals([...rest.thereAlready.first].sort(), [
      "both",
      "data:price",
      "data:shares",
      "task:id:both:log",
      "task:id:line:log",
    ]);
    const after = await entriesOf(target);
    assertEquals(after.slice(0, before.length), before);
    const came = [
      "task.first.completed",
      "task.line.completed",
      "task.fresh.created",
      "data.~task.log.fresh",
    ];
    assertEquals(after.slice(before.length).map(({ subject }) => subject), came);

    // What came by the one import and by the other is moved, and what came in between still is not.
    await target.append([event("fresh", "started")]);
    await source.append([event("first", "created"), event("both", "created"), event("fresh", "completed")]);
    await windowPassed();
    const third = await importedFrom((await exportedText(source)).text, target, { append: true });
    // NATS is asked by ids also for what was left out the time before.
    const named = third.thereAlready.first.filter((owner) => !owner.includes(":"));
    assertEquals([third.stored, named.sort()], [1, ["both", "fresh"]]);
  });
}

Deno.test("one that others have written to is refused unless it is said so; nothing is stored", async () => {
  await using source = await embedded();
  await source.append(lives(1, 3));
  await using target = await embedded();
  await target.append([event("other", "created")]);
  const { text } = await exportedText(source);
  await assertRejects(() => importedFrom(text, target), NotEmpty, "positions 1–1");
  assertEquals((await target.extent()).lastSeq, 1);
  assertEquals((await importedFrom(text, target, { append: true })).stored, lives(1, 3).length);
});

Deno.test("one task, and a part by positions or times, are exported by themselves", async () => {
  let now = 1_750_000_000_000;
  await using source = await embedded(() => now += 1_000);
  for (const entry of lives(5, 10)) await source.append([entry]);
  const all = await entriesOf(source);
  const ofTask = all.filter(({ subject }) => subject.startsWith("task.t3."));
  await using target = await embedded();
  const one = await exportedText(source, { task: "t3" });
  assertEquals((await importedFrom(one.text, target)).stored, ofTask.length);
  assertEquals((await entriesOf(target)).map(said), ofTask.map(said));
  assertEquals(tasksOf(await entriesOf(target)), tasksOf(ofTask));
  // The whole log is another archive, though it is of the same log: of a task that is there nothing is stored twice.
  await windowPassed();
  const whole = await importedFrom((await exportedText(source)).text, target, { append: true });
  assertEquals([whole.stored, whole.thereAlready], [all.length - ofTask.length, {
    count: 1,
    records: ofTask.length,
    first: ["t3"],
  }]);

  const part = await exportedText(source, { after: 10, upTo: 20 });
  const positions = [...part.text.matchAll(/^{"seq":(\d+)/gm)].map(([, seq]) => Number(seq));
  assertEquals(positions, [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  const extent = await source.extent();
  const at = (seq: number): number => all[seq - 1]?.time ?? 0;
  for (const seq of [1, 2, 17, all.length]) {
    assertEquals(await positionAt(source, at(seq) - 1, extent), seq - 1);
    assertEquals(await positionAt(source, at(seq), extent), seq);
  }
});

Deno.test("records that no log takes are left out, and named; the others are stored", async () => {
  await using source = await embedded();
  const odd: NewEntry[] = [
    event("a", "created"),
    { subject: "strange.subject", body: new Uint8Array(0) },
    event("a", "started"),
    { subject: "task.a.progress", body: new Uint8Array(1_048_000) },
    event("a", "completed"),
  ];
  await source.append(odd);
  await using target = await natsLog("ODD");
  const { stored, leftOut } = await importedFrom((await exportedText(source)).text, target);
  assertEquals([stored, leftOut.count], [3, 2]);
  assertEquals(leftOut.first.map(({ line }) => line), [3, 5]);
});

Deno.test("a failing target ends the import with the lines that it is about, and the rest can follow", async () => {
  await using source = await embedded();
  await source.append(lives(10, 300));
  const { text } = await exportedText(source);
  await using target = await embedded();
  let calls = 0;
  const failing = new Proxy(target, {
    get: (log, name) =>
      name === "append" && ++calls === 3
        ? () => Promise.reject(new DOMException("full"))
        : typeof Reflect.get(log, name) === "function"
        ? Reflect.get(log, name).bind(log)
        : Reflect.get(log, name),
  });
  await assertRejects(() => importedFrom(text, failing), DOMException, "full");
  await windowPassed();
  const rest = await importedFrom(text, target);
  assertEquals([rest.known > 0, rest.stored > 0], [true, true]);
  assertEquals((await entriesOf(target)).map(said), (await entriesOf(source)).map(said));
});

Deno.test("a log is read beside the one that holds it, while it is written to", async () => {
  await using log = await embedded();
  await log.append(lives(5, 5));
  await using beside = openSqliteBeside(log.dataDir);
  const before = await beside.extent();
  assertEquals(before, await log.extent());
  const writing = log.append(lives(20, 100));
  const { result, text } = await exportedText(beside);
  assertEquals(result.through, before.lastSeq);
  assertStringIncludes(text.split("\n").at(-2) ?? "", `{"end":${before.lastSeq},`);
  await writing;
  assertEquals(await beside.extent(), await log.extent());
  assertEquals(await entriesOf(beside), await entriesOf(log));
  await log.reset();
  assertEquals(await beside.extent(), await log.extent());
});
