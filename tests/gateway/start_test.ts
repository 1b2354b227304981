import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { eventually } from "../eventually.ts";
import { BareNats } from "./bare_nats.ts";
import { runToItsEnd, withGateway } from "./gateway_process.ts";
import { upgrade, upgradeStatus } from "./raw_upgrade.ts";
import { Watcher } from "./watcher.ts";

Deno.test("a start says in a few lines where it listens, which log it uses and what to try", async () => {
  await withGateway({}, async (gateway) => {
    const lines = gateway.stdout.trimEnd().split("\n");
    assert(lines.length <= 6, gateway.stdout);
    assertStringIncludes(gateway.stdout, `listens on ${gateway.url}`);
    assertStringIncludes(gateway.stdout, `${gateway.wsUrl}/ws`);
    assertStringIncludes(gateway.stdout, `Log: embedded, ${gateway.dataDir}`);
    assertStringIncludes(gateway.stdout, `curl --json`);
    assertEquals(await Array.fromAsync(Deno.readDir(gateway.dataDir), ({ name }) => name).then(hasLog), true);
  });
});

function hasLog(names: readonly string[]): boolean {
  return names.includes("log.sqlite");
}

Deno.test("bad settings end a start with 2, and every one of them is named with its rule", async () => {
  const { code, stdout, stderr } = await runToItsEnd({
    PORT: "eighty",
    RETAIN_AGE: "a week",
    FLUSH_MS: "0",
    NATS_URL: "http://127.0.0.1:4222",
    LOG_LEVEL: "chatty",
    HOST: "0.0.0.0",
  });
  assertEquals([code, stdout], [2, ""]);
  const problems = stderr.split("\n").filter((line) => line.startsWith("  "));
  const named = problems.map((line) => /^ {2}([A-Z_]+)/.exec(line)?.[1]).sort();
  assertEquals(named, ["FLUSH_MS", "HOST", "LOG_LEVEL", "NATS_URL", "PORT", "RETAIN_AGE"]);
  for (const problem of problems) assertMatch(problem, /must|has to/);
});

Deno.test("health, readiness, metrics, tasks and what was rejected are answered over HTTP", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("job1", { kind: "progress", total: 10, completed: 3 });
    assertEquals(await gateway.get("/healthz"), { status: "ok" });
    assertEquals(await gateway.get("/readyz"), { ready: true, reasons: [] });
    assertEquals(await gateway.get("/api/rejected"), { total: 0, items: [] });
    assertEquals(await gateway.metric('taskwire_appends_total{outcome="stored"}'), 1);
    const response = await fetch(`${gateway.url}/metrics`);
    assertMatch(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assertMatch(await response.text(), /^# TYPE taskwire_connections gauge$/m);
  });
});

Deno.test("SIGTERM says drain, closes with 1012 and ends with 0 within DRAIN_MS", async () => {
  await withGateway({ settings: { DRAIN_MS: "8000" } }, async (gateway) => {
    const watchers = await Promise.all(
      Array.from({ length: 5 }, () => Watcher.start({ url: gateway.wsUrl })),
    );
    try {
      await gateway.post("job1", [{ kind: "created" }, { kind: "started" }]);
      for (const watcher of watchers) {
        await watcher.until("both changes are told", () => watcher.statuses.length === 2);
      }
      const signalledMs = performance.now();
      gateway.signal("SIGTERM");
      const { code } = await gateway.ended();
      const tookMs = performance.now() - signalledMs;
      assertEquals(code, 0);
      assert(tookMs < 8_000, `it took ${tookMs} ms`);
      for (const watcher of watchers) {
        await watcher.until("the connection is closed", () => watcher.closes.length > 0);
        assertEquals(watcher.closes, [1012]);
        assertEquals(watcher.statuses.map(({ status }) => status), ["pending", "running"]);
        const drains = watcher.of("drain");
        assertEquals(drains.map(({ data }) => [data.epoch, data.seq]), [[watcher.cursor?.epoch, 2]]);
        for (const { data } of drains) assert(data.reconnect_after_ms < 8_000);
      }
    } finally {
      await Promise.all(watchers.map((watcher) => watcher[Symbol.asyncDispose]()));
    }
  });
});

Deno.test("SIGINT ends a gateway as SIGTERM does", async () => {
  await withGateway({}, async (gateway) => {
    gateway.signal("SIGINT");
    assertEquals((await gateway.ended()).code, 0);
  });
});

Deno.test("while it goes away a gateway is not ready and takes nobody new", async () => {
  await withGateway({ settings: { DRAIN_MS: "60000" } }, async (gateway) => {
    const { status, connection } = await upgrade(gateway.port);
    try {
      assertEquals(status, 101);
      gateway.signal("SIGTERM");
      await eventually("upgrades are refused", async () => await upgradeStatus(gateway.port) === 503);
      const ready = await fetch(`${gateway.url}/readyz`);
      assertEquals([ready.status, await ready.json()], [503, { ready: false, reasons: ["going away"] }]);
    } finally {
      connection.close();
    }
    assertEquals((await gateway.ended()).code, 0);
  });
});

Deno.test("a peer that answers nothing does not hold up a stop for longer than DRAIN_MS", async () => {
  await withGateway({ settings: { DRAIN_MS: "1000" } }, async (gateway) => {
    const { connection } = await upgrade(gateway.port);
    try {
      const signalledMs = performance.now();
      gateway.signal("SIGTERM");
      assertEquals((await gateway.ended()).code, 0);
      const tookMs = performance.now() - signalledMs;
      assert(tookMs > 500 && tookMs < 3_000, `it took ${tookMs} ms`);
    } finally {
      connection.close();
    }
  });
});

Deno.test("a second signal ends a gateway at once", async () => {
  await withGateway({ settings: { DRAIN_MS: "600000" } }, async (gateway) => {
    const { connection } = await upgrade(gateway.port);
    try {
      gateway.signal("SIGTERM");
      await eventually("upgrades are refused", async () => await upgradeStatus(gateway.port) === 503);
      gateway.signal("SIGTERM");
      const { code } = await gateway.ended(3_000);
      assert(code !== 0, "it did not end in order");
    } finally {
      connection.close();
    }
  });
});

Deno.test("a port that is taken is told in one line, and ends the start with 1", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { code, stdout, stderr } = await runToItsEnd({ PORT: String(listener.addr.port) });
    assertEquals([code, stdout], [1, ""]);
    const lines = ownLines(stderr);
    assertEquals(lines.length, 1, stderr);
    assertStringIncludes(lines[0] ?? "", `127.0.0.1:${listener.addr.port}`);
    assertMatch(lines[0] ?? "", /already in use/);
  } finally {
    listener.close();
  }
});

Deno.test("a folder that cannot be written is told in one line, with the reason", async () => {
  const { code, stderr } = await runToItsEnd({ DATA_DIR: "/proc/taskwire" });
  assertEquals(code, 1);
  const lines = ownLines(stderr);
  assertEquals(lines.length, 1, stderr);
  assertMatch(lines[0] ?? "", /"\/proc\/taskwire".*write access/);
});

/** What the gateway itself wrote, without what Deno says of permissions in the configuration. */
function ownLines(stderr: string): string[] {
  return stderr.trimEnd().split("\n").filter((line) => !line.startsWith("Warning Permissions in the config"));
}

Deno.test("a stream that is set otherwise is left as it is, and ends the start with 1 and every difference", async () => {
  await using server = await startNatsServer();
  await using nats = await BareNats.connect(server.url);
  const theirs = {
    name: "TASKWIRE",
    subjects: ["taskwire.task.>", "elsewhere"],
    storage: "memory",
    max_age: 3_600_000_000_000,
    max_msgs_per_subject: 5,
    allow_direct: false,
  };
  await nats.api("STREAM.CREATE.TASKWIRE", theirs);
  const { config: before } = await nats.api("STREAM.INFO.TASKWIRE");
  const { code, stderr } = await runToItsEnd({ NATS_URL: server.url });
  assertEquals(code, 1);
  const [line = "", ...more] = ownLines(stderr);
  assertEquals(more, []);
  for (
    const difference of [
      "subjects",
      "storage: taskwire wants file, the stream has memory",
      "max_age: taskwire wants 7d, the stream has 1h",
      "max_msgs_per_subject: taskwire wants 1000, the stream has 5",
      "allow_direct: taskwire wants true, the stream has",
    ]
  ) assertStringIncludes(line, difference);
  assertEquals((await nats.api("STREAM.INFO.TASKWIRE")).config, before);
});

Deno.test("a gateway waits for a NATS server that is not there yet, says so, and can be stopped meanwhile", async () => {
  await using server = await startNatsServer();
  await server.kill();
  const settings = { NATS_URL: server.url };
  await withGateway({ settings, untilReady: false }, async (gateway) => {
    assertStringIncludes(gateway.stdout, `Log: NATS stream TASKWIRE at ${server.url}`);
    await eventually("it says that it waits", () => gateway.said.includes("Waiting for NATS"));
    const ready = await fetch(`${gateway.url}/readyz`);
    assertEquals(ready.status, 503);
    assertEquals(await ready.json(), { ready: false, reasons: ["the log is not in reach yet"] });
    assertEquals(await upgradeStatus(gateway.port), 503);
    await server.restart();
    await gateway.ready();
  });
  await server.kill();
  await withGateway({ settings, untilReady: false }, async (gateway) => {
    gateway.signal("SIGTERM");
    assertEquals((await gateway.ended()).code, 0);
  });
});

Deno.test("SIGTERM ends a gateway within DRAIN_MS though its NATS server answers nothing", async () => {
  await using server = await startNatsServer();
  await withGateway({ settings: { NATS_URL: server.url, DRAIN_MS: "1500" } }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    server.pause(); // its connections stay open
    const stuck = gateway.post("job1", { kind: "created" }).catch((error) => String(error));
    const signalledMs = performance.now();
    gateway.signal("SIGTERM");
    assertEquals((await gateway.ended()).code, 0);
    const tookMs = performance.now() - signalledMs;
    assert(tookMs < 2_200, `it took ${tookMs} ms`);
    await watcher.until("the connection is closed", () => watcher.closes.length > 0);
    assertEquals(watcher.closes, [1012]);
    assertEquals(typeof await stuck, "string"); // it was not acknowledged
  });
});
