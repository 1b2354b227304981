import { assertEquals } from "@std/assert";
import { type Bounds, faultsOfDrain, faultsOfTelling } from "./judgement.ts";
import { rolling } from "./rolling.ts";

/** Whether all come back, and when at the earliest, and what they are told; how fast is for `deno task rolling`. */
const BOUNDS: Bounds = { toleranceMs: 20_000, share: 0.1, spread: "told" };

Deno.test("three gateways are restarted one after the other, and no client loses a status or hears it twice", async () => {
  const { drains, differences, events, acknowledged } = await rolling({
    clients: 60,
    gateways: 3,
    proxy: "haproxy",
    cluster: false,
    drainMs: 3_000,
  });
  assertEquals(drains.flatMap((drain) => faultsOfDrain(drain, BOUNDS)), []);
  assertEquals(faultsOfTelling(differences), []);
  assertEquals(events, acknowledged);
});
