import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../eventually.ts";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { type GatewayProcess, runToItsEnd, withGateway } from "./gateway_process.ts";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { Watcher } from "./watcher.ts";

const EXAMPLES = "src/plugins/examples";

Deno.test("the lines of a task's log reach who watches, all of them, and are read page by page", async () => {
  await withGateway(
    { settings: { PLUGINS: `${EXAMPLES}/task_log.ts`, MESSAGES_BURST: "1000" } },
    async (gateway) => {
      await using live = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:job:log&max_rate_hz=1`);
      await live.next("caught_up");
      for (let i = 1; i <= 250; i++) {
        live.send({
          type: "publish",
          id: `p${i}`,
          data: { topic: "task:id:job:log", payload: { text: `line ${i}` } },
        });
        if (i % 40 === 0) await live.request("ping");
      }
      await eventually("every line came", () => live.of("channel_update").length >= 250);
      const texts = live.of("channel_update").map(({ data }) => data.payload);
      assertEquals(texts.length, 250, "none is merged into another, whatever the rate");
      await using late = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:job:log&replay=all`);
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
      const all = texts.map((payload) => (payload as { text: string }).text);
      assertEquals(pages, all);

      // Towards the beginning, from behind many events of others.
      const others = Array.from({ length: 400 }, (_, i) => ({ kind: "progress", completed: i }));
      await gateway.post("other", others);
      await gateway.post("other", { kind: "completed" });
      const seen: string[] = [];
      let asked = 0;
      for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; asked++) {
        const page = await late.request("read_log", { task_id: "job", before_seq: before, limit: 60 });
        assert(page.type === "result");
        const { lines, next_before_seq: next } = page.data as {
          lines: { text: string }[];
          next_before_seq?: number;
        };
        assert(lines.length === 60 || next === undefined, "pages are full but for the first of the log");
        seen.unshift(...lines.map(({ text }) => text));
        before = next;
      }
      assertEquals([seen, asked], [all, 5]);
      await late.request("publish", { topic: "task:id:job:log", payload: { text: "loud", level: "warn" } });
      const loud = await late.request("read_log", {
        task_id: "job",
        before_seq: Number.MAX_SAFE_INTEGER,
        level: "warn",
      });
      assertEquals(
        loud.type === "result" && (loud.data as { lines: { text: string }[] }).lines.map(({ text }) => text),
        ["loud"],
      );
      const wrong = await late.request("publish", { topic: "task:id:job:log", payload: "only text" });
      assertEquals(wrong.type === "error" && wrong.error.code, "INVALID_MESSAGE");

      const answer = await fetch(`${gateway.url}/api/plugins/task_log/disable`, { method: "POST" });
      assertEquals(
        (await answer.json()).plugins.map(({ name, enabled }: { name: string; enabled: boolean }) => [
          name,
          enabled,
        ]),
        [["task_log", false], ["connections", true], ["tasks", true], ["channels", true]],
      );
      const builtIn = await fetch(`${gateway.url}/api/plugins/tasks/disable`, { method: "POST" });
      assertEquals([builtIn.status, (await builtIn.json()).detail], [
        409,
        'Cannot disable "tasks": it is built in',
      ]);
      const gone = await late.request("read_log", { task_id: "job" });
      assertEquals(gone.type === "error" && gone.error.code, "INVALID_MESSAGE");
      const nobody = await fetch(`${gateway.url}/api/plugins/nobody/enable`, { method: "POST" });
      assertEquals([nobody.status, (await nobody.json()).detail], [404, "no plug-in nobody"]);
    },
  );
});

Deno.test("the lines of a task's log are all there for who comes, or comes back, after kill -9 of the gateway", async () => {
  await withGateway({ settings: { PLUGINS: `${EXAMPLES}/task_log.ts` } }, async (gateway) => {
    const { epoch, first } = await (async () => {
      await using writer = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:job:log`);
      const { epoch } = (await writer.next("welcome")).data;
      for (const text of ["one", "two", "three"]) {
        await writer.request("publish", { topic: "task:id:job:log", payload: { text } });
      }
      const { seq: first } = await writer.next("channel_update");
      return { epoch, first };
    })();
    await gateway.kill();
    await gateway.start();
    const textsOf = async (query: string): Promise<string[]> => {
      await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:job:log&${query}`);
      await client.next("caught_up");
      return client.of("channel_update").map(({ data }) => (data.payload as { text: string }).text);
    };
    assertEquals(await textsOf("replay=all"), ["one", "two", "three"]);
    assertEquals(await textsOf(`since=${epoch}:${first}`), ["two", "three"]);
  });
});

Deno.test("a parent's bar moves by its children's weights", async () => {
  await withGateway(
    { settings: { PLUGINS: `${EXAMPLES}/group_progress.ts,${EXAMPLES}/task_log.ts` } },
    async (gateway) => {
      await using watcher = await Watcher.start({
        url: gateway.wsUrl,
        topics: ["task:id:all", "task:id:whole"],
      });
      await gateway.post("whole", { kind: "created" });
      await gateway.post("all", { kind: "created", name: "All of it", parent_id: "whole" });
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
      await gateway.post("beside", [{ kind: "created", parent_id: "whole", total: 300 }, {
        kind: "started",
      }]);
      await watcher.until(
        "a group within a group weighs as what is in it",
        () => watcher.progress.get("whole")?.percentage === 13.75,
      );
      await gateway.post("large", { kind: "completed" });
      await watcher.until("then all is done", () => watcher.progress.get("all")?.percentage === 100);
      assertEquals(watcher.progress.get("all")?.completed, 2);
      const { plugins } = await gateway.get("/api/plugins") as {
        plugins: { name: string; failed: number }[];
      };
      assertEquals(plugins.slice(0, 2).map(({ name, failed }) => [name, failed]), [
        ["group_progress", 0],
        ["task_log", 0],
      ]);
    },
  );
});

Deno.test("a group moves by what became of its parts while no gateway was there", async () => {
  await using nats = await startNatsServer();
  const settings = { NATS_URL: nats.url, PLUGINS: `${EXAMPLES}/group_progress.ts` };
  await withGateway({ settings }, async (gateway) => {
    await gateway.post("all", { kind: "created" });
    for (const id of ["one", "two"]) await gateway.post(id, { kind: "created", parent_id: "all" });
    await gateway.post("one", { kind: "completed" });
    const isAt = async (percentage: number) => {
      const { progress } = await gateway.get("/api/tasks/all") as { progress: { percentage: number } };
      return progress.percentage === percentage;
    };
    await eventually("half is done", () => isAt(50));
    await gateway.kill();
    const worker = await connectWorker(nats.url);
    await worker.task("two").completed();
    await worker.close();
    await gateway.start();
    await eventually("the other half counts", () => isAt(100));
  });
});

Deno.test("a task's log is for whoever may see the task, live, later and page by page, and is written by whose task it is", async () => {
  const AUTH_TOKENS = [
    "root:root-root-root-root:admin",
    "alice:alice-alice-alice-1:subscribe+publish:task:tag:alice+task:id:alice-*",
    "bob:bob-bob-bob-bob-bob:subscribe+publish:task:tag:bob+task:id:bob-*",
    "data:data-data-data-data:subscribe+publish:data:*",
  ].join(",");
  const settings = { AUTH: "token", AUTH_TOKENS, PLUGINS: `${EXAMPLES}/task_log.ts` };
  await withGateway({ settings }, async (gateway) => {
    const connect = (token: string, query = ""): Promise<TestClient> =>
      TestClient.connect(`${gateway.wsUrl}/ws?token=${token}${query}`);
    const say = async (path: string, body: unknown): Promise<void> => {
      const headers = { authorization: "Bearer root-root-root-root", "content-type": "application/json" };
      const response = await fetch(gateway.url + path, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      assertEquals(response.status, 202, await response.text());
    };
    await say("/api/tasks/job/events", { kind: "created", tags: ["alice"] });
    const topics = "&topics=task:id:job:log";
    await using alice = await connect("alice-alice-alice-1", topics);
    await using bob = await connect("bob-bob-bob-bob-bob", topics);
    for (const one of [alice, bob]) await one.next("caught_up");
    for (const text of ["one", "two"]) {
      await say("/api/publish", { topic: "task:id:job:log", payload: { text } });
    }
    await eventually("alice has both", () => alice.of("channel_update").length === 2);
    await using late = await connect("bob-bob-bob-bob-bob", `${topics}&replay=all`);
    await using tagged = await connect("alice-alice-alice-1", `${topics}&replay=all`);
    for (const one of [late, tagged]) await one.next("caught_up");
    assertEquals(tagged.of("channel_update").length, 2);
    for (const one of [bob, late]) {
      assertEquals(one.of("channel_update"), []);
      const lines = await one.request("read_log", { task_id: "job" });
      const none = await one.request("read_log", { task_id: "nobody-has-this" });
      assertEquals([lines, none].map((told) => told.type === "error" && told.error.code), [
        "TASK_NOT_FOUND",
        "TASK_NOT_FOUND",
      ]);
    }
    assertEquals((await tagged.request("read_log", { task_id: "job" })).type, "result");
    const line = { text: "mine?" };
    const published = async (who: TestClient, topic: string): Promise<unknown> => {
      const told = await who.request("publish", { topic, payload: line });
      return told.type === "error" ? told.error.code : told.type;
    };
    assertEquals(await published(alice, "task:id:job:log"), "FORBIDDEN", "a task seen is not a task owned");
    assertEquals(await published(alice, "task:id:alice-1:log"), "published");
    assertEquals(await published(alice, "log:alice-1"), "FORBIDDEN");

    await say("/api/tasks/job/events", { kind: "created", name: "again", tags: ["alice"] });
    for (const more of [{}, { before_seq: 1_000 }]) {
      const page = await tagged.request("read_log", { task_id: "job", ...more });
      assert(page.type === "result");
      const texts = (page.data as { lines: { text: string }[] }).lines.map(({ text }) => text);
      assertEquals(texts, ["one", "two"], "another attempt takes nothing away");
    }

    await say("/api/tasks/job/events", { kind: "created", tags: ["bob"] });
    await say("/api/publish", { topic: "task:id:job:log", payload: { text: "three" } });
    await using heir = await connect("bob-bob-bob-bob-bob", `${topics}&replay=all`);
    await heir.next("caught_up");
    const texts = heir.of("channel_update").map(({ data }) => (data.payload as { text: string }).text);
    assertEquals(texts, ["three"], "who has a task now has not what was said before");
    for (const more of [{}, { before_seq: 1_000 }]) {
      const page = await heir.request("read_log", { task_id: "job", ...more });
      assert(page.type === "result");
      assertEquals((page.data as { lines: { text: string }[] }).lines.map(({ text }) => text), ["three"]);
    }

    await using data = await connect("data-data-data-data", "&topics=data:a");
    await data.next("caught_up");
    await say("/api/publish", { topic: "data:a", payload: 1 });
    await eventually("who sees no task sees its channels live", () => data.of("data_update").length === 1);
  });
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

/** A module below `./plugins` of a name that nothing else has; it is gone afterwards, and so is the folder where it was not there. */
async function pluginModule(): Promise<
  AsyncDisposable & { readonly path: string; readonly write: (source: string) => Promise<void> }
> {
  const folder = new URL("../../plugins/", import.meta.url);
  const isNew = await Deno.mkdir(folder).then(() => true, () => false);
  const name = `made_${crypto.randomUUID().slice(0, 8)}`;
  const file = new URL(`${name}.ts`, folder);
  return {
    path: `./plugins/${name}.ts`,
    write: (source) => Deno.writeTextFile(file, source),
    async [Symbol.asyncDispose]() {
      await Deno.remove(file);
      // Others may have theirs there.
      if (isNew) await Deno.remove(folder).catch(() => {});
    },
  };
}

/** Asks a gateway for the plug-in of a module; returns why it is not added, or 201. */
async function added(gateway: GatewayProcess, module: string): Promise<unknown> {
  const response = await fetch(`${gateway.url}/api/plugins`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ module }),
  });
  const { detail } = await response.json();
  return detail ?? response.status;
}

Deno.test("a plug-in is added, changed and removed while clients stay connected", async () => {
  await using module = await pluginModule();
  const write = (greeting: string): Promise<void> =>
    module.write(
      `import * as v from "valibot";
       import { definePlugin, definePluginMessage } from "../src/plugins/plugin.ts";
       const greet = definePluginMessage({
         type: "greet",
         schema: v.object({ name: v.string() }),
         handle: ({ name }) => ({ text: \`${greeting} \${name}\` }),
       });
       export default definePlugin({ name: "greeter", messages: [greet] });`,
    );
  await write("Hello");
  await withGateway({}, async (gateway) => {
    await using client = await TestClient.connect(`${gateway.wsUrl}/ws`);
    const greeted = async (): Promise<unknown> => {
      const answer = await client.request("greet", { name: "Ada" });
      return answer.type === "error" ? answer.error.code : answer.data;
    };
    assertEquals(await greeted(), "INVALID_MESSAGE");
    assertEquals(await added(gateway, module.path), 201);
    assertEquals(await greeted(), { text: "Hello Ada" });
    assertEquals(await added(gateway, module.path), 'Cannot add the plug-in "greeter": it exists');
    const removed = await fetch(`${gateway.url}/api/plugins/greeter`, { method: "DELETE" });
    await removed.body?.cancel();
    assertEquals([removed.status, await greeted()], [200, "INVALID_MESSAGE"]);
    await write("Good evening");
    assertEquals(await added(gateway, module.path), 201);
    assertEquals(await greeted(), { text: "Good evening Ada" });
  });
});

Deno.test("an operator is told why a plug-in is not added, and so is the log; tasks stay what they were", async () => {
  await using module = await pluginModule();
  const start = `Cannot load the plug-in ${module.path}: `;
  await withGateway({}, async (gateway) => {
    await gateway.post("job", { kind: "created" });
    await module.write(`throw new Error("no such database");`);
    assertEquals(await added(gateway, module.path), `${start}no such database`);
    await eventually(
      "the log says so",
      () => gateway.said.includes("warn A plug-in is not added") && gateway.said.includes("no such database"),
    );
    await module.write("await new Promise(() => {});");
    assertEquals(await added(gateway, module.path), `${start}it did not load within 5 s`);
    const records = `{ space: "task", read: () => ({ rejected: "mine" }) }`;
    await module.write(
      `export default { name: "thief", namespaces: [{ name: "thief", records: ${records} }] };`,
    );
    assertEquals(
      await added(gateway, module.path),
      `Cannot use the plug-in ${module.path}: namespaces.0.records: is of what is built in alone`,
    );
    await gateway.post("job", { kind: "completed" });
    await eventually("the task goes on", async () => {
      const { status } = await gateway.get("/api/tasks/job") as { readonly status: string };
      return status === "completed";
    });
  });
});

Deno.test("an outage of the log takes no plug-in away, however much it is asked meanwhile", async () => {
  await using nats = await startNatsServer();
  const settings = { NATS_URL: nats.url, PLUGINS: `${EXAMPLES}/task_log.ts`, MESSAGES_BURST: "1000" };
  await withGateway({ settings }, async (gateway) => {
    await gateway.post("job", { kind: "created" });
    await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:job:log`);
    await client.next("caught_up");
    const published = await client.request("publish", { topic: "task:id:job:log", payload: { text: "one" } });
    assertEquals(published.type, "published");
    await nats.kill();
    const asked = await Promise.all(
      Array.from({ length: 30 }, () => client.request("read_log", { task_id: "job" })),
    );
    assertEquals(
      new Set(asked.map((one) => one.type === "error" && one.error.code)),
      new Set<unknown>(["SERVER_ERROR"]),
    );
    await nats.restart();
    const state = async (): Promise<unknown> => {
      const { plugins } = await gateway.get("/api/plugins") as {
        plugins: { enabled: boolean; failed: number; overdue: number }[];
      };
      return plugins.slice(0, 1).map(({ enabled, failed, overdue }) => [enabled, failed, overdue])[0];
    };
    assertEquals(await state(), [true, 0, 0]);
    await eventually(
      "the log is in reach",
      async () => (await client.request("read_log", { task_id: "job" })).type === "result",
      30_000,
    );
    assertEquals(client.of("unsubscribed"), []);
    assertEquals(await state(), [true, 0, 0]);
  });
});
