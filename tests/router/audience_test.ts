import { assertEquals, assertStrictEquals } from "@std/assert";
import type { Delivery } from "../../src/projection/delivery.ts";
import { Audience, type Member } from "../../src/router/audience.ts";
import { deliveriesOf, framesOf, idsOf, lines, progress } from "./deliveries.ts";

/** A member that keeps what was written. */
class FakeMember implements Member {
  congested = false;
  pacedAtMs = -Infinity;
  readonly written: Uint8Array[] = [];
  lag: number | undefined;

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  lost(): void {}

  lagged(cursor: number): void {
    this.lag = cursor;
  }

  get ids(): string[] {
    return this.written.flatMap(idsOf);
  }
}

const TOPICS = new Set(["task:progress", "task:status"]);

function audience(head = 0): Audience {
  return new Audience({ key: "key", topics: TOPICS, codec: lines() }, head);
}

function add(to: Audience, delivery: Delivery, list = false): void {
  const { progress, status } = delivery;
  to.add({
    delivery,
    progress: !list && progress !== undefined,
    status: !list && status !== undefined,
    list: list && status !== undefined,
    whole: false,
  });
}

const FIVE = deliveriesOf(
  { task: "t0", kind: "started" },
  { task: "t1", kind: "started" },
  { task: "t0", kind: "paused" },
  { task: "t1", kind: "paused" },
  { task: "t0", kind: "resumed" },
);

Deno.test("every member is written the same bytes, once a flush", () => {
  const all = audience();
  const members = [new FakeMember(), new FakeMember(), new FakeMember()];
  for (const member of members) all.join(member, 0, 0);
  for (const delivery of FIVE) add(all, delivery);
  const { writes, batch } = all.flush(5, at(100));
  assertEquals([writes, batch.frames], [3, 5]);
  for (const { written } of members) {
    assertEquals(written.length, 1);
    assertStrictEquals(written[0], batch.bytes);
  }
  assertEquals(all.dirty, false);
});

Deno.test("who joins while something is pending gets of it what lies after its cursor", () => {
  const all = audience();
  const [early, late, latest] = [new FakeMember(), new FakeMember(), new FakeMember()];
  all.join(early, 0, 0);
  for (const delivery of FIVE.slice(0, 2)) add(all, delivery);
  all.join(late, 2, 2);
  for (const delivery of FIVE.slice(2, 4)) add(all, delivery);
  all.join(latest, 4, 4);
  assertEquals([early, late, latest].map((one) => all.cursorOf(one, 4)), [0, 2, 4]);
  const { writes } = all.flush(4, at(100));
  assertEquals(early.ids, ["status_1", "status_2", "status_3", "status_4"]);
  assertEquals(late.ids, ["status_3", "status_4"]);
  assertEquals([latest.written.length, writes], [0, 2], "nothing to write is not written");
  for (const delivery of FIVE.slice(4)) add(all, delivery);
  all.flush(5, at(200));
  assertEquals([early.ids.at(-1), late.ids.at(-1), latest.ids], ["status_5", "status_5", ["status_5"]]);
});

Deno.test("who was served further by another gateway is told nothing that it knows", () => {
  const all = audience();
  const ahead = new FakeMember();
  all.join(ahead, 4, 1);
  assertEquals(all.cursorOf(ahead, 1), 4);
  for (const delivery of FIVE.slice(1, 3)) add(all, delivery);
  all.flush(3, at(100));
  assertEquals([ahead.ids, all.cursorOf(ahead, 3)], [[], 4]);
  for (const delivery of FIVE.slice(3)) add(all, delivery);
  assertEquals(all.cursorOf(ahead, 5), 4);
  all.flush(5, at(200));
  assertEquals([ahead.ids, all.cursorOf(ahead, 5)], [["status_5"], 5]);
});

Deno.test("who has not drained leaves with the cursor up to which it was served", () => {
  const all = audience();
  const [slow, newcomer, quick] = [new FakeMember(), new FakeMember(), new FakeMember()];
  for (const member of [slow, quick]) all.join(member, 0, 0);
  for (const delivery of FIVE.slice(0, 3)) add(all, delivery);
  all.flush(3, at(100));
  add(all, { ...FIVE[3] } as Delivery);
  all.join(newcomer, 4, 4);
  for (const delivery of FIVE.slice(4)) add(all, delivery);
  slow.congested = true;
  newcomer.congested = true;
  const { lagged, writes } = all.flush(5, at(200));
  assertEquals(lagged, [{ member: slow, cursor: 3 }, { member: newcomer, cursor: 4 }]);
  assertEquals([all.size, writes, quick.ids.length], [1, 1, 5]);
});

Deno.test("a quiet audience's members are served up to the head", () => {
  const all = audience(7);
  const member = new FakeMember();
  all.join(member, 7, 7);
  assertEquals(all.cursorOf(member, 12), 12);
  add(all, FIVE[0] as Delivery);
  assertEquals(all.cursorOf(member, 12), 7);
});

Deno.test("the list names each changed task once, as it is now, before all that has a position", () => {
  const all = audience();
  const member = new FakeMember();
  all.join(member, 0, 0);
  for (const delivery of FIVE.slice(0, 4)) add(all, delivery, true);
  all.flush(4, at(100));
  const [list] = framesOf(member.written[0] ?? new Uint8Array());
  assertEquals([list?.type, list?.id, list?.type === "error" ? 0 : list?.seq], ["task_list", "list_4", 4]);
  const tasks = list?.type === "task_list"
    ? list.data.tasks.map(({ task_id, status }) => [task_id, status])
    : [];
  assertEquals(tasks, [["t0", "paused"], ["t1", "paused"]]);
});

Deno.test("a list with other frames beside it carries no position, so that no cursor passes a status", () => {
  const all = audience();
  const member = new FakeMember();
  all.join(member, 0, 0);
  const [first] = deliveriesOf(progress("t0", 1));
  if (first === undefined) throw new Error("told");
  all.add({ delivery: first, progress: true, status: true, list: true, whole: false });
  all.flush(1, at(100));
  assertEquals(member.ids, ["list_100", "progress_1", "status_1"]);
  const [list] = framesOf(member.written[0] ?? new Uint8Array());
  assertEquals(list !== undefined && "seq" in list, false);
});

Deno.test("tasks that left memory are told to all who may have known of them then, and not when they are back", () => {
  const all = audience();
  const [old, joined, after] = [new FakeMember(), new FakeMember(), new FakeMember()];
  all.join(old, 0, 0);
  add(all, FIVE[0] as Delivery, true);
  all.join(joined, 1, 1);
  add(all, FIVE[1] as Delivery, true);
  for (const taskId of ["t8", "t9"]) all.remove(taskId, 2);
  all.join(after, 2, 2);
  add(all, { ...FIVE[2], taskId: "t9" } as Delivery, true);
  all.flush(3, at(100));
  const removed = (member: FakeMember) =>
    member.written.flatMap(framesOf).flatMap((frame) =>
      frame.type === "task_list" && "removed" in frame.data ? frame.data.removed : []
    );
  assertEquals([old, joined, after].map(removed), [["t8"], ["t8"], ["t8"]]);
});

/** A moment, by both clocks. */
function at(ms: number): { readonly nowMs: number; readonly elapsedMs: number } {
  return { nowMs: ms, elapsedMs: ms };
}
