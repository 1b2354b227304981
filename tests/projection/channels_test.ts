import { assert, assertEquals } from "@std/assert";
import { CHANNELS } from "../../src/channel/built_in.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { Channels } from "../../src/projection/channels.ts";
import { payloadOf } from "../../src/projection/delivery.ts";

const value = (topic: string, seq: number, json = `${seq}`) => ({
  topic,
  key: `k${seq}`,
  seq,
  time: seq,
  json,
});

Deno.test("what channels hold is bounded, and of those that were let go of little is remembered, however many", () => {
  const channels = new Channels(20_000, new Namespaces(CHANNELS));
  for (let seq = 1; seq <= 200_000; seq++) channels.put(value(`data:c${seq}`, seq));
  assert(channels.bytes <= 20_000);
  assertEquals(channels.retained("data:c1"), undefined, "the log has to be asked");
  assertEquals([...channels.retained("data:c200000") ?? []].length, 1);
  channels.put(value("data:c1", 200_001));
  assertEquals(channels.retained("data:c1"), undefined, "a part is not taken for all");
});

Deno.test("a value's frame is made of its text, and is the one that its members make", () => {
  const channels = new Channels(1_000_000, new Namespaces(CHANNELS));
  for (const json of [`{"a":[1,"二",null]}`, `"\\"}"`, "7", "{}"]) {
    const { progress } = channels.put({
      topic: "strategy:s",
      key: json === "7" ? "" : `k"`,
      seq: 9,
      time: 5,
      json,
    });
    assert(progress !== undefined);
    assertEquals(new TextDecoder().decode(payloadOf(progress)), JSON.stringify(progress.frame));
    assertEquals(progress.frame.type === "strategy_update" && progress.frame.data.payload, JSON.parse(json));
  }
});
