import { assertEquals } from "@std/assert";
import { HeldBack } from "../../src/client/held_back.ts";
import type { NewsFrame } from "../../src/client/task_frame.ts";
import { Told } from "../../src/client/told.ts";
import type { Watch } from "../../src/client/watch.ts";

function value(seq: number, type: "data_update" | "channel_update", topic: string, key: string): NewsFrame {
  return {
    type,
    id: `${topic.split(":")[0]}_${seq}`,
    timestamp: seq,
    seq,
    data: { topic, key, payload: seq },
  };
}

Deno.test("of what is held back the newest of a key stands for those before it where that is known, and every other value comes", () => {
  const watch: Watch = {
    told: new Told(),
    topics: ["log:job", "data:quotes"],
    replay: "latest",
    onFrame: () => {},
    onLive: () => {},
    onTruncated: () => {},
    onError: () => {},
  };
  const heldBack = new HeldBack();
  heldBack.begin(watch);
  const frames = [
    value(1, "channel_update", "log:job", ""),
    value(2, "data_update", "data:quotes", "BTC"),
    value(3, "channel_update", "log:job", ""),
    value(4, "data_update", "data:quotes", "BTC"),
    value(5, "channel_update", "log:job", ""),
  ];
  for (const frame of frames) assertEquals(heldBack.keep(watch, frame), true);
  assertEquals(heldBack.end(watch).map(({ seq }) => seq), [1, 3, 4, 5]);
});
