import { assertEquals } from "@std/assert";
import { LatestFrames } from "../../src/client/latest_frames.ts";
import type { NewsFrame } from "../../src/client/task_frame.ts";

function value(seq: number, key: string): NewsFrame {
  const data = { topic: "data:trades", key, payload: seq };
  return { type: "data_update", id: `data_${seq}`, timestamp: seq, seq, data };
}

Deno.test("of a channel with ever new keys the last values of those that changed last are kept", () => {
  const latest = new LatestFrames();
  for (let seq = 1; seq <= 30_000; seq++) latest.keep(value(seq, seq % 100 === 0 ? "often" : `k${seq}`));
  const kept = latest.frames();
  assertEquals(kept.length, 10_000);
  assertEquals(kept.filter(({ seq }) => seq === 30_000).length, 1);
  assertEquals(Math.min(...kept.map(({ seq = 0 }) => seq)) > 19_000, true);
});
