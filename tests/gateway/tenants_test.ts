import { assert, assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { SseClient } from "../sse_client.ts";
import { type Frame, TestClient } from "../websocket_client.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";

/** Whoever looks after all of it, and two tenants that are told apart by tags alone. */
const TOKENS = {
  root: "root-root-root-root",
  alice: "alice-alice-alice-1",
  bob: "bob-bob-bob-bob-bob",
};

const SETTINGS = {
  AUTH: "token",
  AUTH_TOKENS: [
    `root:${TOKENS.root}:admin`,
    `alice:${TOKENS.alice}:subscribe+cancel+publish:task:tag:alice+task:tag:alice2+task:id:alice-*`,
    `bob:${TOKENS.bob}:subscribe+cancel+publish:task:tag:bob+task:tag:bob2+task:tag:bob3+task:id:bob-*`,
  ].join(","),
  SQLITE_SYNC: "process",
  MESSAGES_PER_SECOND: "1000",
  MESSAGES_BURST: "1000",
};

type Ask = {
  readonly who: keyof typeof TOKENS;
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
};

async function asked(gateway: GatewayProcess, { who, path, method = "GET", body }: Ask): Promise<unknown> {
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKENS[who]}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { path, status: response.status, answer: text === "" ? "" : plain(JSON.parse(text)) };
}

async function say(gateway: GatewayProcess, taskId: string, ...events: readonly object[]): Promise<void> {
  const path = `/api/tasks/${taskId}/events`;
  const answer = await asked(gateway, { who: "root", path, method: "POST", body: events });
  assert(answer instanceof Object && "status" in answer && answer.status === 202, JSON.stringify(answer));
}

/** Members that say where in the stream something lies, when it was, or under which name it was asked. */
const PLACES =
  /^(seq|next_after_seq|timestamp|server_time|.*_time|time|id|epoch|connection_id|client_id|rate|eta_ms)$/;

/** A value without what differs from run to run. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, PLACES.test(name) ? "…" : plain(inner)]),
  );
}

const FOREIGN = ["bob-1", "bob-ended", "shared-name", "nobody-has-this"];

/** What alice gets to see, whatever she tries, in a world in which bob works too or in one in which there is no bob. */
async function whatAliceSees(withBob: boolean): Promise<readonly unknown[]> {
  return await withGateway({ settings: SETTINGS }, async (gateway) => {
    const seen: unknown[] = [];
    const bob = async (taskId: string, ...events: readonly object[]): Promise<void> => {
      if (withBob) await say(gateway, taskId, ...events);
    };
    const alice = async (path: string, method?: string, body?: unknown): Promise<void> => {
      seen.push(await asked(gateway, { who: "alice", path, ...(method && { method }), body }));
    };
    await bob("bob-1", { kind: "created", tags: ["bob"], type: "render" }, {
      kind: "progress",
      total: 9,
      completed: 1,
    });
    await say(gateway, "alice-1", { kind: "created", tags: ["alice"], type: "render" }, { kind: "started" });
    await bob("bob-ended", { kind: "created", tags: ["bob2"] }, { kind: "completed", result: "secret" });
    await bob("shared-name", { kind: "started" }, { kind: "created", tags: ["bob"], parent_id: "alice-1" });
    await say(gateway, "of-alice", { kind: "created", tags: ["alice2", "batch"], parent_id: "alice-1" });

    const watching = await watchers(gateway);
    await watching.caughtUp();
    // What was answered to others is kept for who asks the same.
    await asked(gateway, { who: "root", path: "/api/tasks?at_time=2100-01-01T00:00:00Z" });
    // Lists, with every filter, and pages.
    for (
      const query of [
        "",
        "?status=running",
        "?status=completed",
        "?type=render",
        "?tag=bob",
        "?tag=alice2",
        "?parent_id=alice-1",
        "?limit=1",
        "?limit=1&page=2",
        "?limit=1&page=3",
        "?at_time=2100-01-01T00:00:00Z",
        "?at_time=2100-01-01T00:00:00Z&tag=bob",
        "?at_time=2100-01-01T00:00:00Z&limit=1",
      ]
    ) await alice(`/api/tasks${query}`);
    // Tasks of another's, and one that nobody has.
    for (const id of FOREIGN) {
      await alice(`/api/tasks/${id}`);
      await alice(`/api/tasks/${id}?at_time=2100-01-01T00:00:00Z`);
      await alice(`/api/tasks/${id}/events`);
      await alice(`/api/tasks/${id}/events?after_seq=1`);
      await alice(`/api/tasks/${id}/cancel`, "POST", {});
      await alice(`/api/tasks/${id}/events`, "POST", { kind: "completed", event_id: "e1" });
      await alice(`/api/tasks/${id}/events`, "POST", { kind: "created", tags: ["alice"] });
      seen.push(await watching.ask("get_task", { task_id: id }));
      seen.push(await watching.ask("get_task", { task_id: id, at: { time: "2100-01-01T00:00:00Z" } }));
      seen.push(await watching.ask("get_history", { task_id: id }));
      seen.push(await watching.ask("cancel_task", { task_id: id }));
      seen.push(await watching.ask("subscribe", { topics: [`task:id:${id}`] }));
    }
    await alice("/api/tasks/alice-1/events", "POST", { kind: "created", tags: ["bob"] });
    await alice("/api/rejected");
    await alice("/metrics");
    seen.push(await watching.ask("get_tasks", {}), await watching.ask("get_tasks", { tag: "bob" }));
    for (const topic of ["task:tag:bob", "task:tag:bob:progress", "task:tag:batch", "data:x"]) {
      seen.push(await watching.ask("subscribe", { topics: [topic] }));
    }
    // Then both work on, and bob's tasks end, are retagged, and begin.
    await bob("bob-1", { kind: "progress", completed: 5 }, { kind: "failed", error: { message: "secret" } });
    await say(gateway, "alice-1", { kind: "progress", total: 3, completed: 1 });
    await bob("bob-2", { kind: "created", tags: ["bob"] }, { kind: "started" });
    await bob("bob-1", { kind: "created", tags: ["bob3"] });
    await say(gateway, "alice-1", { kind: "completed", progress: { completed: 3 } });
    await watching.sawEndOf("alice-1");
    seen.push(...await watching.all());
    return seen;
  });
}

/** Alice on a socket, on a stream, and coming back with a cursor, to all that she may hold. */
async function watchers(gateway: GatewayProcess) {
  const topics = "task:progress,task:status,task:list,task:tag:alice,task:id:alice-1,task:id:bob-1";
  const token = `token=${TOKENS.alice}`;
  const socket = await TestClient.connect(`${gateway.wsUrl}/ws?topics=${topics}&${token}`);
  const whole = await TestClient.connect(`${gateway.wsUrl}/ws?topics=${topics}&replay=all&${token}`);
  const stream = await SseClient.connect(`${gateway.url}/api/stream?topics=${topics}&${token}`);
  const clients = [socket, whole, stream];
  return {
    ask: async (type: string, data: object) => [type, data, plain(await socket.request(type, data))],
    caughtUp: async () => {
      for (const client of clients) {
        await eventually("it has caught up", () => client.frames.some(({ type }) => type === "caught_up"));
      }
    },
    sawEndOf: async (taskId: string) => {
      const ends = (frame: Frame) =>
        frame.type === "task_status" && frame.data.task_id === taskId && frame.data.status === "completed";
      for (const client of clients) await eventually("the end", () => client.frames.some(ends));
      // What is still to come comes before the answer to this.
      await socket.request("ping");
    },
    all: async () => {
      const frames = clients.map((client) => pushed(client.frames));
      // Who comes back from the very beginning sees the same as who was there.
      const { epoch, seq } = socket.of("welcome")[0]?.data ?? { epoch: "", seq: 0 };
      const since = `${epoch}:${Math.max(0, seq - 100)}`;
      const back = await TestClient.connect(`${gateway.wsUrl}/ws?topics=${topics}&since=${since}&${token}`);
      await back.find(({ type }) => type === "caught_up", "caught_up");
      frames.push(pushed(back.frames));
      await Promise.all([socket, whole, back].map((client) => client.close()));
      await stream[Symbol.asyncDispose]();
      return frames;
    },
  };
}

/** Frames that no request of ours was answered with; how progress was merged is a matter of time. */
function pushed(frames: readonly Frame[]): unknown[] {
  return frames.filter(({ type, id }) => type !== "task_progress" && !id.startsWith("request_")).map(plain);
}

Deno.test("what a tenant sees is the same whether another one is there or not, whatever it tries", async () => {
  const [alone, together] = await Promise.all([whatAliceSees(false), whatAliceSees(true)]);
  assert(alone.length > 70, `${alone.length} answers`);
  for (const [i, answer] of alone.entries()) assertEquals(together[i], answer);
  assertEquals(together.length, alone.length);
  assert(!JSON.stringify(together).includes("secret"));
});
