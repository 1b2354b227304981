import { assertEquals } from "@std/assert";
import { SeedClient } from "../seed_client.ts";
import { FACTS } from "./seed_facts.ts";
import { LOGS, onLog } from "./worlds.ts";

for (const log of LOGS) {
  Deno.test(`a client written from the seed document alone is served on ${log}`, async (t) => {
    await onLog(log, async (world) => {
      let failed = "";
      for (const [fact, holds] of Object.entries(FACTS)) {
        if (!await t.step(fact, () => holds(world))) failed = fact;
      }
      const { cutOff, gateway } = world;
      if (cutOff !== undefined) {
        const fact =
          "a question that the log is needed for is answered SERVER_ERROR while it is out of reach";
        const step = await t.step(fact, async () => {
          await using client = await SeedClient.connect(`${gateway.wsUrl}/ws/task`);
          await cutOff();
          // The seed has no question that only the log can answer: this one is ours, its answer the seed's.
          const { error } = await client.request("subscribe", { topics: ["task:status"], replay: "all" });
          assertEquals(error?.code, "SERVER_ERROR");
          assertEquals(typeof error?.details["incident"], "string");
          await client.ping();
        });
        if (!step) failed = fact;
      }
      assertEquals(failed, "");
    });
  });
}
