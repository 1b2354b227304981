import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Client,
  ClientError,
  type ClientOptions,
  connect,
  type PushedFrame,
} from "../../src/client/client.ts";
import type { WebSocketLike } from "../../src/client/socket.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { Load, overHttp } from "../gateway/load.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";
import { eventually } from "../eventually.ts";

/** A client over streams, gone at the end. */
function streaming(port: number, options: ClientOptions = {}): Client & Disposable {
  const client = connect(`http://127.0.0.1:${port}`, { transport: "sse", firstWaitMs: 50, ...options });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** What a subscription is told, and whether it is live. */
class Watched {
  readonly frames: PushedFrame[] = [];
  readonly errors: ClientError[] = [];
  isLive = false;
  readonly unsubscribe: () => void;

  constructor(
    client: Client,
    topics: string | readonly string[],
    replay: "latest" | "none" | "all" = "latest",
  ) {
    ({ unsubscribe: this.unsubscribe } = client.subscribe(topics, (frame) => this.frames.push(frame), {
      replay,
      onLive: (isLive) => this.isLive = isLive,
      onError: (error) => this.errors.push(error),
    }));
  }

  get statuses(): unknown[] {
    return this.frames.flatMap((frame) =>
      frame.type === "task_status"
        ? [{ seq: frame.seq, taskId: frame.data.task_id, status: frame.data.status }]
        : []
    );
  }

  async live(): Promise<void> {
    await eventually("it is live", () => this.isLive);
  }
}

async function untilNobody(live: LiveGateway): Promise<void> {
  await eventually("no audience is left", () => live.gateway.pipeline?.router.audiences === 0);
}

Deno.test("over streams a client is told how tasks are, and what happens, as over a WebSocket", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"));
  using client = streaming(live.port);
  const watched = new Watched(client, "task:status");
  await watched.live();
  await live.append(eventOf("a", "paused"));
  await eventually("both are told", () => watched.statuses.length === 2);
  assertEquals(watched.statuses, [
    { seq: 1, taskId: "a", status: "running" },
    { seq: 2, taskId: "a", status: "paused" },
  ]);
  client.close();
  await untilNobody(live);
});

Deno.test("over streams requests go over HTTP", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"), eventOf("a", "paused"));
  using client = streaming(live.port);
  assertEquals((await client.getTask("a")).status, "paused");
  assertEquals((await client.getTask("a", { at: { seq: 1 } })).status, "running");
  assertEquals((await client.getTasks({ status: "paused" })).total, 1);
  assertEquals((await client.getHistory("a", { limit: 1 })).events.length, 1);
  assertEquals((await client.cancel("a", "enough")).task_id, "a");
  const error = await assertRejects(() => client.getTask("nobody"), ClientError);
  assertEquals(error.code, "TASK_NOT_FOUND");
});

Deno.test("over streams topics come and go while much happens, and nobody misses a status or is told twice", async () => {
  await withGateway({}, async (gateway) => {
    using client = streaming(gateway.port);
    const all = new Watched(client, ["task:status", "task:progress"]);
    await all.live();
    await using load = new Load(overHttp(gateway));
    const others: Watched[] = [];
    for (let i = 0; i < 8; i++) {
      const until = load.count + 40;
      await eventually("more has happened", () => load.count >= until);
      const topics = [`task:id:load-${i}-1`, "task:list", `task:id:load-${i}-2:status`];
      const other = new Watched(client, topics.slice(0, 1 + i % 3), i % 2 === 0 ? "latest" : "all");
      others.push(other);
      await other.live();
      if (i === 5) { for (const gone of others.splice(0, 3)) gone.unsubscribe(); }
    }
    await load.stop();
    await eventually("all is told", () => all.statuses.length >= load.statuses().length);
    assertEquals(all.statuses, load.statuses());
  });
});

Deno.test("over streams kill -9 of the gateway costs no status", async () => {
  await withGateway({}, async (gateway) => {
    using client = streaming(gateway.port);
    const all = new Watched(client, ["task:status", "task:progress"]);
    const one = new Watched(client, "task:id:load-1-1");
    await Promise.all([all.live(), one.live()]);
    await using load = new Load(overHttp(gateway));
    await eventually("much has happened", () => load.count >= 150);
    await gateway.kill();
    await gateway.start();
    const until = load.count + 150;
    await eventually("more has happened", () => load.count >= until);
    await load.stop();
    await eventually("all is told", () => all.statuses.length >= load.statuses().length);
    assertEquals(all.statuses, load.statuses());
    const isOne = (told: unknown) => JSON.stringify(told).includes('"load-1-1"');
    assertEquals(one.statuses, load.statuses().filter(isOne));
  });
});

Deno.test("over streams a topic that does not exist is refused, and the others go on", async () => {
  await using live = await LiveGateway.start();
  using client = streaming(live.port);
  const good = new Watched(client, "task:status");
  await good.live();
  const bad = new Watched(client, "task:ids");
  await eventually("it is refused", () => bad.errors.length > 0);
  assertEquals(bad.errors[0]?.code, "TOPIC_NOT_FOUND");
  await live.append(eventOf("a", "started"));
  await eventually("the other goes on", () => good.statuses.length === 1);
});

/** A network that lets no WebSocket through. */
class Blocked implements WebSocketLike {
  static tries = 0;
  readonly readyState = 3;
  onmessage = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror = null;

  constructor() {
    Blocked.tries++;
    queueMicrotask(() => this.onclose?.({ code: 1006 }));
  }

  send(): void {}
  close(): void {}
}

Deno.test("a client that is let choose takes streams once two WebSockets in a row came to nothing", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"));
  using client = streaming(live.port, { transport: "auto", WebSocket: Blocked });
  const watched = new Watched(client, "task:status");
  await watched.live();
  assertEquals([watched.statuses.length, Blocked.tries], [1, 2]);
  assert(client.state.kind === "open");
});
