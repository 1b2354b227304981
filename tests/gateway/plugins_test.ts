import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../eventually.ts";
import { TestClient } from "../websocket_client.ts";
import { runToItsEnd, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

const EXAMPLES = "src/plugins/examples";

Deno.test("the lines of a task's log reach who watches, all of them, and are read page by page", async () => {
  await withGateway(
    { settings: { PLUGINS: `${EXAMPLES}/task_log.ts`, MESSAGES_BURST: "1000" } },
    async (gateway) => {
      await using live = await TestClient.connect(`${gateway.wsUrl}/ws?topics=log:job&max_rate_hz=1`);
      await live.next("caught_up");
      for (let i = 1; i <= 250; i++) {
        live.send({
          type: "publish",
          id: `p${i}`,
          data: { topic: "log:job", payload: { text: `line ${i}` } },
        });
        if (i % 40 === 0) await live.request("ping");
      }
      await eventually("every line came", () => live.of("channel_update").length >= 250);
      const texts = live.of("channel_update").map(({ data }) => data.payload);
      assertEquals(texts.length, 250, "none is merged into another, whatever the rate");
      await using late = await TestClient.connect(`${gateway.wsUrl}/ws?topics=log:job&replay=all`);
      await late.next("caught_up");
      assertEquals(late.of("channel_update").map(({ data }) => data.payload), texts);
      const pages: unknown[] = [];
      for (let after: number | undefined = 0; after !== undefined;) {
        const page = await late.request("read_log", { task_id: "job", after_seq: after, limit: 60 });
        assert(page.type === "result");
        const { lines, next_after_seq: next } = page.data as {
          lines: { text: string }[];
          next_after_seq?: number;
        };
        pages.push(...lines.map(({ text }) => text));
        after = next;
      }
      assertEquals(pages, texts.map((payload) => (payload as { text: string }).text));
      const wrong = await late.request("publish", { topic: "log:job", payload: "only text" });
      assertEquals(wrong.type === "error" && wrong.error.code, "INVALID_MESSAGE");

      const answer = await fetch(`${gateway.url}/api/plugins/task_log/disable`, { method: "POST" });
      assertEquals((await answer.json()).plugins.map(({ enabled }: { enabled: boolean }) => enabled), [
        false,
      ]);
      const gone = await late.request("read_log", { task_id: "job" });
      assertEquals(gone.type === "error" && gone.error.code, "INVALID_MESSAGE");
      const nobody = await fetch(`${gateway.url}/api/plugins/nobody/enable`, { method: "POST" });
      assertEquals([nobody.status, (await nobody.json()).detail], [404, "no plug-in nobody"]);
    },
  );
});

Deno.test("a parent's bar moves by its children's weights", async () => {
  await withGateway(
    { settings: { PLUGINS: `${EXAMPLES}/group_progress.ts,${EXAMPLES}/task_log.ts` } },
    async (gateway) => {
      await using watcher = await Watcher.start({ url: gateway.wsUrl, topics: ["task:id:all"] });
      await gateway.post("all", { kind: "created", name: "All of it" });
      for (const [id, total] of [["small", 10], ["large", 90]] as const) {
        await gateway.post(id, { kind: "created", parent_id: "all", total });
        await gateway.post(id, { kind: "started" });
      }
      await gateway.post("large", { kind: "progress", completed: 45, total: 90 });
      await watcher.until(
        "half of the large one counts as that",
        () => watcher.progress.get("all")?.percentage === 45,
      );
      await gateway.post("small", { kind: "completed" });
      await watcher.until(
        "and the small one as what it is",
        () => watcher.progress.get("all")?.percentage === 55,
      );
      await gateway.post("large", { kind: "completed" });
      await watcher.until("then all is done", () => watcher.progress.get("all")?.percentage === 100);
      assertEquals(watcher.progress.get("all")?.completed, 2);
      const { plugins } = await gateway.get("/api/plugins") as {
        plugins: { name: string; failed: number }[];
      };
      assertEquals(plugins.map(({ name, failed }) => [name, failed]), [["group_progress", 0], [
        "task_log",
        0,
      ]]);
    },
  );
});

Deno.test("a plug-in that cannot be used ends the start with one clear error", async () => {
  const missing = await runToItsEnd({ PLUGINS: "./nowhere.ts" });
  assertEquals(missing.code, 2);
  assertMatch(missing.stderr, /Cannot load the plug-in \.\/nowhere\.ts/);
  const wrong = await runToItsEnd({ PLUGINS: "src/protocol/names.ts" });
  assertEquals(wrong.code, 2);
  assertMatch(wrong.stderr, /Cannot use the plug-in src\/protocol\/names\.ts: its default export: /);
  assert(!/\n\s+at /.test(missing.stderr + wrong.stderr), "no stack trace");
});
