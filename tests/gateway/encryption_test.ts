import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../../src/client/client.ts";
import { decrypting, type DecryptionOptions, type Trouble } from "../../src/client/decrypting.ts";
import type { PushedFrame } from "../../src/client/watch.ts";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "./gateway_process.ts";

const KEYS = { "2024": new Uint8Array(32).fill(24), "2025": new Uint8Array(32).fill(25) };

Deno.test("what a worker seals a client with the key reads, live and later, through a key's change; the gateway and its log do not", async () => {
  await withGateway({}, async (gateway) => {
    const client = connect(gateway.url);
    const outsider = connect(gateway.url);
    try {
      const troubles: Trouble[] = [];
      const reading = decrypting(client, { keys: KEYS, onTrouble: (trouble) => troubles.push(trouble) });
      const frames: PushedFrame[] = [];
      let isLive = false;
      reading.subscribe(["task:status", "task:progress"], (frame) => frames.push(frame), {
        onLive: (is) => isLive = is,
      });
      const store = reading.task("pay");
      assert(
        reading.task("pay") === store && reading.tasks() === reading.tasks({}),
        "another at each render",
      );
      let shown = store.getSnapshot();
      const stop = store.subscribe((view) => shown = view);
      await eventually("it is live", () => isLive);

      const encryption = { keyId: "2024", keys: KEYS };
      await using worker = await connectWorker(gateway.url, { encryption, progressIntervalMs: 0 });
      const task = worker.task("pay");
      await task.created({ name: "Salaries of May", tags: ["hr"] });
      task.progress({ total: 4, completed: 1, current: "Ann" });
      await eventually("its progress came", () => frames.some(({ type }) => type === "task_progress"));
      encryption.keyId = "2025";
      await task.completed({ sum: 4711 });

      await eventually("the store has its end", () => shown.status === "completed");
      stop();
      assertEquals([shown.task?.name, shown.task?.result, shown.progress?.total], ["Salaries of May", {
        sum: 4711,
      }, 4]);
      const progress = frames.flatMap((frame) => frame.type === "task_progress" ? [frame.data.progress] : []);
      assertEquals([progress[0]?.current, progress[0]?.percentage, progress[0]?.rate], ["Ann", 25, null]);
      const { tasks } = await reading.getTasks({ tag: "hr" });
      assertEquals(tasks.map(({ name, result }) => [name, result]), [["Salaries of May", { sum: 4711 }]]);
      const { events } = await reading.getHistory("pay");
      assertEquals(
        events.map(({ kind, body }) => {
          const { at: _, ...said } = Object(body);
          return [kind, said];
        }),
        [
          ["created", { name: "Salaries of May", tags: ["hr"] }],
          ["progress", { attempt: 1, total: 4, completed: 1, current: "Ann" }],
          ["completed", { attempt: 1, result: { sum: 4711 }, progress: { total: 4, completed: 1 } }],
        ],
      );
      assertEquals(troubles, []);

      const seen = JSON.stringify([await outsider.getTask("pay"), await outsider.getHistory("pay")]);
      assertStringIncludes(seen, "enc:v1:2025:");
      for (const secret of ["Salaries", "Ann", "sum", "4711"]) assert(!seen.includes(secret), secret);
      const options: DecryptionOptions = {
        keys: { "2025": KEYS["2025"] },
        onTrouble: (one) => troubles.push(one),
      };
      const half = decrypting(outsider, options);
      const known = await half.getTask("pay");
      assertEquals([known.result, known.name?.startsWith("enc:v1:2024:")], [{ sum: 4711 }, true]);
      assertEquals(troubles, [{ taskId: "pay", member: "name", why: "no such key" }]);
      options.keys = KEYS;
      assertEquals((await half.getTask("pay")).name, "Salaries of May", "a key that was added since");
    } finally {
      client.close();
      outsider.close();
    }
  });
});
