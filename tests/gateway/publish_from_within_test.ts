import { assertEquals, assertRejects } from "@std/assert";
import { LiveGateway } from "../transport/live_gateway.ts";

Deno.test("a module in the gateway's process publishes by a call, and by the rules of all others", async () => {
  await using live = await LiveGateway.start();
  const client = await live.connect("/ws?topics=data:candles,strategy:s1");
  await client.next("caught_up");
  const { seq } = await live.gateway.publish("data:candles", { close: 1.5 }, "BTC");
  await live.gateway.publish("strategy:s1", "well");
  const [{ data, seq: told }, other] = [
    await client.next("data_update"),
    await client.next("strategy_update"),
  ];
  assertEquals([data, told], [{ topic: "data:candles", key: "BTC", payload: { close: 1.5 } }, seq]);
  assertEquals(other.data, { topic: "strategy:s1", payload: "well" });
  await client.close();
  await assertRejects(() => live.gateway.publish("nothing:a", 1), TypeError, "no such channel: nothing:a");
  await assertRejects(() => live.gateway.publish("data:a", 1, "a b"), TypeError, "key: must be 1–128");
  await assertRejects(() => live.gateway.publish("data:a", undefined), TypeError, "payload: must be given");
});
