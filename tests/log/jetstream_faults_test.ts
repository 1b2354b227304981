import { assert, assertEquals } from "@std/assert";
import type { EventLog } from "../../src/log/event_log.ts";
import { openJetStreamLog } from "../../src/log/jetstream_log.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { asOperator, optionsOf, PREFIX, STREAM } from "./jetstream_bench.ts";
import {
  bytes,
  collect,
  Collected,
  followed,
  lifetime,
  numbered,
  plain,
  positions,
  rejection,
  until,
  whole,
} from "./probe.ts";

for (const family of ["nats", "ws"] as const) {
  fact(
    `over ${family}://, kill -9 of the server under load loses, doubles and reorders nothing`,
    async () => {
      await using server = await startNatsServer({ websocket: true });
      await using log = await openJetStreamLog(optionsOf(server, family));
      await using following = await follower(log);
      const load = startLoad(log);
      const backMs: number[] = [];
      for (const stored of [100, 200]) {
        await holds(() => load.stored.length >= stored);
        await server.kill();
        await holds(() => !following.reachable);
        await server.restart();
        const from = performance.now();
        await holds(() => following.reachable);
        backMs.push(performance.now() - from);
      }
      await holds(() => load.stored.length >= 300);
      const stored = await load.stop();
      await holds(() => following.got.entries.length >= stored.length);

      assertEquals(following.got.entries.map(plain), stored);
      assertEquals((await whole(log)).map(plain), stored);
      assertEquals(following.got.kinds, ["entries"]);
      assert(backMs.every((ms) => ms < 2_000), `back after ${backMs} ms`);
    },
  );
}

fact(
  "a server that stands still is told as out of reach, and brings everything once when it goes on",
  async () => {
    // With users a server ends connections that say nothing, which is how dials that had given up come back to life.
    const users = { config: `authorization { user: anna, password: secret, timeout: 1 }` };
    await using server = await startNatsServer(users);
    const nats = { url: server.url, user: "anna", password: "secret" };
    await using log = await openJetStreamLog({ ...optionsOf(server, "nats"), nats });
    await using following = await follower(log);
    await log.append(numbered(10));
    await holds(() => following.got.entries.length === 10);
    server.pause();
    const appending = log.append(numbered(10));
    await holds(() => !following.reachable);
    server.resume();
    await appending;
    await log.append(numbered(10));
    await holds(() => following.got.entries.length >= 30);
    assertEquals(following.got.entries.map((e) => e.seq), positions(1, 30));
  },
);

for (const family of ["nats", "ws"] as const) {
  fact(`over ${family}://, closing does not wait for a server that stands still`, async () => {
    await using server = await startNatsServer({ websocket: true });
    const log = await openJetStreamLog(optionsOf(server, family));
    const following = await follower(log);
    await log.append(numbered(10));
    server.pause();
    // More than the system takes from us.
    const body = new Uint8Array(1_000_000);
    const appending = log.append(Array.from({ length: 40 }, () => ({ subject: "task.a.x", body })));
    const refused = rejection(appending);
    // The server stands still for as long as we wait: a close that waited for it would never end.
    const from = performance.now();
    await Promise.all([log[Symbol.asyncDispose](), rejection(following.ended)]);
    assert(performance.now() - from < 20_000, `took ${performance.now() - from} ms`);
    assertEquals((await refused).code, "closed");
    server.resume();
  });
}

fact("a stream made while the server was away is another epoch, however long it is", async () => {
  await using server = await startNatsServer();
  await using log = await openJetStreamLog(optionsOf(server, "nats"));
  await log.append(numbered(5, () => "task.old.x"));
  await using following = await follower(log);
  await holds(() => following.got.entries.length === 5);
  await server.kill();
  await Deno.remove(server.storeDir, { recursive: true });
  await server.restart();
  await using other = await openJetStreamLog(optionsOf(server, "nats"));
  await other.append(numbered(20, () => "task.new.x"));
  await holds(() => following.got.entries.length >= 25);
  assertEquals(
    following.got.entries.slice(5).map((e) => [e.seq, e.subject]),
    positions(1, 20).map((seq) => [seq, "task.new.x"]),
  );
  assertEquals(following.got.extents.length, 1);
});

fact("a stream that was deleted and stays away is made anew, and the log goes on in it", async () => {
  await using server = await startNatsServer();
  await using log = await openJetStreamLog(optionsOf(server, "nats"));
  await log.append(numbered(5));
  await using following = await follower(log);
  await holds(() => following.got.entries.length === 5);
  await asOperator(server, (ask) => ask(`STREAM.DELETE.${STREAM}`));
  const [appended] = await log.append(numbered(1));
  assertEquals(appended?.seq, 1);
  await holds(() => following.got.entries.length === 6);
  assertEquals(following.got.kinds, ["entries", "epoch", "entries"]);
});

fact(
  "a stream whose end was lost and written anew starts over, though its creation time is the same",
  async () => {
    await using server = await startNatsServer();
    await using log = await openJetStreamLog(optionsOf(server, "nats"));
    await log.append(numbered(5));
    await server.stop();
    const backup = await Deno.makeTempDir({ prefix: "taskwire-backup-" });
    await copyFolder(server.storeDir, backup);
    await server.restart();
    await log.append(numbered(5, () => "task.lost.x"));

    const { epoch } = await log.extent();
    using life = lifetime();
    const live = log.follow({ epoch, after: 0 }, life.signal)[Symbol.asyncIterator]();
    const got = new Collected();
    while (got.entries.length < 10) got.add((await live.next()).value ?? assertNever());
    // The follower is not asked for more until the new end is longer than what it has seen.
    await server.kill();
    await Deno.remove(server.storeDir, { recursive: true });
    await Deno.rename(backup, server.storeDir);
    await server.restart();
    await log.append(numbered(7, () => "task.new.x"));
    await collect({ [Symbol.asyncIterator]: () => live }, got, (all) => all.entries.length === 22);
    assertEquals(got.entries.slice(10).map((e) => e.seq), positions(1, 12));
    assertEquals(got.extents.map((extent) => extent.epoch), [epoch]);
    assertEquals(got.missed, []);
  },
);

fact("what strangers put into headers harms nobody", async () => {
  await using server = await startNatsServer();
  await using log = await openJetStreamLog(optionsOf(server, "nats"));
  await using following = await follower(log);
  const hostile = [
    "NATS/1.0\r\nno colon at all\r\n\r\n",
    "NATS/1.0\r\nbad name \x01: v\r\n\r\n",
    "NATS/1.0 503 No Responders\r\n\r\n",
    "NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    "NATS/1.0 404 No Messages\r\n\r\n",
    "NATS/1.0 409 Consumer Deleted\r\n\r\n",
    "NATS/1.0\r\ntraceparent: \r\nNats-Sequence: 1\r\n\r\n",
    "rubbish",
  ];
  await publishRaw(server, hostile.map((head) => ({ subject: `${PREFIX}.task.a.progress`, head, body: "" })));
  await log.append(numbered(1, () => "task.good.x"));
  await holds(() => following.got.entries.at(-1)?.subject === "task.good.x");
  const expected = (await log.extent()).lastSeq;
  assertEquals(following.got.entries.map((e) => e.seq), positions(1, expected));
  assert(expected > 5, `only ${expected} were taken by the server`);
  assertEquals((await whole(log)).map((e) => e.seq), positions(1, expected));
  assertEquals((await log.append(numbered(1)))[0]?.duplicate, false);
});

fact("records of nearly 1 MiB come through, in pages and to a follower", async () => {
  await using server = await startNatsServer();
  await using log = await openJetStreamLog(optionsOf(server, "nats"));
  const body = new Uint8Array(1_048_576 - 1_000);
  const sent = Array.from({ length: 40 }, (_, i) => ({ subject: `task.t${i}.progress`, body }));
  await log.append(sent);
  const seen = await followed(log, 0, (got) => got.entries.length === 40);
  assertEquals(
    seen.entries.map((e) => [e.seq, e.body.length]),
    positions(1, 40).map((seq) => [seq, body.length]),
  );
  assertEquals((await log.read({ after: 0, limit: 100 })).entries.length, 40);
});

/** Registers a test under the sanitizers. */
function fact(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `JetStream: ${name}`, sanitizeOps: true, sanitizeResources: true, fn });
}

type Following = AsyncDisposable & {
  readonly got: Collected;
  readonly reachable: boolean;
  readonly ended: Promise<void>;
};

/** Follows the whole of the log until disposed, which fails when following did. */
async function follower(log: EventLog): Promise<Following> {
  const { epoch } = await log.extent();
  const life = new AbortController();
  const got = new Collected();
  let reachable = true;
  const reading = (async () => {
    for await (const item of log.follow({ epoch, after: 0 }, life.signal)) {
      if (item.kind === "reachable") reachable = item.reachable;
      got.add(item);
    }
  })();
  return {
    got,
    ended: reading,
    get reachable() {
      return reachable;
    },
    async [Symbol.asyncDispose]() {
      life.abort();
      await reading;
    },
  };
}

function holds(condition: () => boolean): Promise<true> {
  return until(() => Promise.resolve(condition() ? true : undefined));
}

type Stored = readonly [number, string, string];

/** Ten workers, each with one record under way: 200 a second together, while there is a server. */
function startLoad(
  log: EventLog,
): { readonly stored: readonly Stored[]; stop(): Promise<readonly Stored[]> } {
  const stored: Stored[] = [];
  let going = true;
  const workers = Array.from({ length: 10 }, async (_, worker) => {
    for (let i = 0; going; i++) {
      const subject = `task.w${worker}.progress`;
      const body = `{"completed":${i}}`;
      const [appended] = await log.append([{ subject, body: bytes(body), id: `${worker}-${i}` }]);
      if (appended !== undefined) stored.push([appended.seq, subject, body]);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  return {
    stored,
    async stop() {
      going = false;
      await Promise.all(workers);
      return stored.toSorted(([a], [b]) => a - b);
    },
  };
}

/** Publishes as a client that does not keep to the rules: the head is whatever it is. */
async function publishRaw(
  server: NatsServer,
  messages: readonly { readonly subject: string; readonly head: string; readonly body: string }[],
): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) });
  const commands = messages.map(({ subject, head, body }) =>
    `HPUB ${subject} ${head.length} ${head.length + body.length}\r\n${head}${body}\r\n`
  );
  await connection.write(bytes(`CONNECT {"verbose":false,"headers":true}\r\n${commands.join("")}PING\r\n`));
  let said = "";
  for await (const chunk of connection.readable.values({ preventCancel: true })) {
    said += new TextDecoder().decode(chunk);
    if (said.includes("PONG")) return;
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

function assertNever(): never {
  throw new Error("The follower ended by itself");
}
