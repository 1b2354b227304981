import { assertEquals, assertThrows } from "@std/assert";
import { type Entry, LogError } from "../../src/log/event_log.ts";
import { advance, settle, type Settled, startOf } from "../../src/log/jetstream_follow.ts";
import type { Delivered } from "../../src/log/jetstream_record.ts";
import { differencesOf, epochOf } from "../../src/log/jetstream_stream.ts";

const EXTENT = { epoch: "e1", firstSeq: 5, lastSeq: 20 };
const START: Settled = { at: { epoch: "e1", seq: 4 }, tell: [{ kind: "epoch", extent: EXTENT }] };

Deno.test("a cursor within the stream, at its head or just before its start goes on as it is", () => {
  for (const seq of [4, 10, 20]) {
    const at = { epoch: "e1", seq, stamp: "7" };
    assertEquals(settle(at, EXTENT), { at, tell: [] });
  }
});

Deno.test("a cursor before the oldest record is told what it missed", () => {
  const missed = { kind: "missed", from: 2, to: 4 } as const;
  assertEquals(settle({ epoch: "e1", seq: 1, stamp: "7" }, EXTENT), {
    at: { epoch: "e1", seq: 4 },
    tell: [missed],
  });
});

Deno.test("a cursor of another epoch, or past the head of this one, starts over", () => {
  assertEquals(settle({ epoch: "e0", seq: 10 }, EXTENT), START);
  assertEquals(settle({ epoch: "e1", seq: 21 }, EXTENT), START);
});

Deno.test("a cursor at the head of an emptied stream waits there, one before it has missed", () => {
  const emptied = { epoch: "e1", firstSeq: 21, lastSeq: 20 };
  assertEquals(settle({ epoch: "e1", seq: 20 }, emptied).tell, []);
  assertEquals(settle({ epoch: "e1", seq: 18 }, emptied).tell, [{ kind: "missed", from: 19, to: 20 }]);
});

Deno.test("a consumer starts at the cursor's own record while that is there, to see that it is the same", () => {
  assertEquals(startOf({ epoch: "e1", seq: 10, stamp: "7" }, EXTENT), 10);
  assertEquals(startOf({ epoch: "e1", seq: 10 }, EXTENT), 11);
  assertEquals(startOf({ epoch: "e1", seq: 4, stamp: "7" }, EXTENT), 5);
});

Deno.test("records at or before the cursor are dropped, holes are told where they lie", () => {
  const at = { epoch: "e1", seq: 10, stamp: "s10" };
  const batch = [10, 11, 12, 15, 16, 18].map(delivered);
  assertEquals(advance(at, batch), {
    at: { epoch: "e1", seq: 18, stamp: "s18" },
    tell: [
      { kind: "entries", entries: [11, 12].map(entry) },
      { kind: "missed", from: 13, to: 14 },
      { kind: "entries", entries: [15, 16].map(entry) },
      { kind: "missed", from: 17, to: 17 },
      { kind: "entries", entries: [entry(18)] },
    ],
  });
  assertEquals(advance(at, [delivered(10)]), { at, tell: [] });
});

Deno.test("another record in the cursor's place is a stream that was written anew", () => {
  assertEquals(advance({ epoch: "e1", seq: 10, stamp: "other" }, [delivered(10), delivered(11)]), undefined);
});

Deno.test("the epoch is the nanosecond of creation, whatever zeros and offset it is written with", () => {
  const epoch = epochOf("2026-11-22T19:14:38.10991417Z");
  assertEquals(epochOf("2026-11-22T19:14:38.109914170Z"), epoch);
  assertEquals(epochOf("2026-11-22T21:14:38.10991417+02:00"), epoch);
  assertEquals(epoch === epochOf("2026-11-22T19:14:38.109914171Z"), false);
  assertEquals(
    epochOf("2026-11-22T19:14:38Z"),
    (BigInt(Date.UTC(2026, 10, 22, 19, 14, 38)) * 1_000_000n).toString(36),
  );
  assertEquals(epoch.length <= 16, true);
  assertThrows(() => epochOf("yesterday"), LogError);
});

Deno.test("settings differ by what they mean, not by how they are written", () => {
  const wanted = { subjects: ["a.>", "b.>"], max_age: 0, num_replicas: 1, allow_direct: true };
  assertEquals(
    differencesOf(wanted, { subjects: ["b.>", "a.>"], num_replicas: 1, allow_direct: true, x: 1 }),
    [],
  );
  assertEquals(differencesOf(wanted, { subjects: ["a.>"], max_age: 1_500_000_000, num_replicas: 3 }), [
    "subjects: taskwire wants a.> b.>, the stream has a.>",
    "max_age: taskwire wants 0s, the stream has 1500ms",
    "num_replicas: taskwire wants 1, the stream has 3",
    "allow_direct: taskwire wants true, the stream has nothing",
  ]);
});

function entry(seq: number): Entry {
  return { seq, time: seq * 1000, subject: "task.a.progress", body: new Uint8Array(0) };
}

function delivered(seq: number): Delivered {
  return { entry: entry(seq), stamp: `s${seq}`, deliveredSeq: seq };
}
