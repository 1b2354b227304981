import { assert, assertEquals } from "@std/assert";
import type { Access, Right } from "../../src/access/access.ts";
import { AccessError, type Authenticator } from "../../src/access/authenticator.ts";
import { Scope } from "../../src/access/scope.ts";
import type { Frame } from "../websocket_client.ts";
import { FakeSocket } from "./fake_socket.ts";
import { type Peer, type PeerOptions, settled, World } from "./world.ts";

/** Tokens that a test adds while it runs; `away` and `broken` are what they say. */
class Tokens implements Authenticator {
  readonly known = new Map<string, Access>();

  authenticate(token: string): Promise<Access> {
    if (token === "away") {
      return Promise.reject(new AccessError("unavailable", "tokens cannot be judged at present"));
    }
    if (token === "broken") return Promise.reject(new TypeError("hunter2 is undefined"));
    const access = this.known.get(token);
    return access === undefined
      ? Promise.reject(new AccessError("invalid", "the token is not valid"))
      : Promise.resolve(access);
  }
}

const AUTH_MS = 10_000;
const LIMITS = { maxTopics: 256, rate: { perSecond: 1e9, burst: 1e9 }, authMs: AUTH_MS };

/** A world that asks for tokens; `t` makes one. */
async function asking(): Promise<{ world: World; t: (about: About) => Access }> {
  const tokens = new Tokens();
  const world = await World.booted({ tokens, limits: LIMITS });
  return {
    world,
    t: ({ token = "good", subject = "ann", rights = ["subscribe"], topics = ["task:*"], inMs }) => {
      const access: Access = {
        subject,
        rights: new Set(rights),
        scope: Scope.of(topics),
        ...(inMs === undefined ? {} : { expiresAtMs: world.clock.now() + inMs }),
      };
      tokens.known.set(token, access);
      return access;
    },
  };
}

type About = {
  readonly token?: string;
  readonly subject?: string;
  readonly rights?: readonly Right[];
  readonly topics?: readonly string[];
  readonly inMs?: number;
};

/** What a peer was told, in a word each. */
function told({ socket }: Peer): string[] {
  return socket.frames.map(wordOf);
}

function wordOf(frame: Frame): string {
  switch (frame.type) {
    case "task_status":
      return `${frame.data.task_id} ${frame.data.status}`;
    case "task_progress":
      return `${frame.data.task_id} ${frame.data.progress.completed}`;
    case "task_list": {
      const removed = "removed" in frame.data ? frame.data.removed.map((id) => `-${id}`) : [];
      return ["list", ...frame.data.tasks.map(({ task_id }) => task_id), ...removed].join(" ");
    }
    case "error":
      return `${frame.error.code}: ${frame.error.message}`;
    default:
      return frame.type;
  }
}

async function say(world: World, taskId: string, kind: string, body: object = {}): Promise<void> {
  world.put(taskId, kind, body);
  await world.follow();
  world.clock.advance(50);
  await settled();
}

/** Shows a token, and lets it be judged. */
async function show(peer: Peer, token: string): Promise<void> {
  peer.send("auth", { token });
  await settled();
}

Deno.test("nothing is told before a token is shown, and then all that was asked for", async () => {
  const { world, t } = await asking();
  t({});
  const peer = world.connect({ access: "unknown", query: { topics: ["task:status"] } });
  await say(world, "t1", "started");
  assertEquals([told(peer), peer.connection.stateName], [[], "unknown"]);
  await show(peer, "good");
  assertEquals(told(peer), ["welcome", "authenticated", "subscribed", "t1 running", "caught_up"]);
  await say(world, "t1", "paused");
  assertEquals(told(peer).at(-1), "t1 paused");
});

Deno.test("who shows no token in time is closed, and a token in time calls that off", async () => {
  const { world, t } = await asking();
  t({});
  const [late, inTime] = [world.connect({ access: "unknown" }), world.connect({ access: "unknown" })];
  world.clock.advance(AUTH_MS - 1);
  assertEquals([late.socket.closed, inTime.socket.closed], [undefined, undefined]);
  await show(inTime, "good");
  world.clock.advance(1);
  assertEquals(late.socket.closed, { code: 4401, reason: "unauthorized" });
  assertEquals(told(late), ["UNAUTHORIZED: no token was shown in time"]);
  world.clock.advance(86_400_000);
  assertEquals([inTime.socket.closed, world.clock.pending], [undefined, 0]);
});

Deno.test("each way in which a first token opens nothing has its close code", async () => {
  const { world } = await asking();
  const cases = [
    ["nonsense", "UNAUTHORIZED: the token is not valid", 4401],
    ["away", "SERVER_ERROR: tokens cannot be judged at present", 1013],
  ] as const;
  for (const [token, error, code] of cases) {
    const peer = world.connect({ access: "unknown" });
    await show(peer, token);
    assertEquals([told(peer), peer.socket.closed?.code], [[error], code]);
  }
  assertEquals([world.faults, world.clock.pending], [[], 0]);
});

Deno.test("a fault of ours while a token is judged tells nobody why, and another may be shown", async () => {
  const { world, t } = await asking();
  t({});
  const peer = world.connect({ access: "unknown" });
  await show(peer, "broken");
  assertEquals(told(peer), ["SERVER_ERROR: the server could not answer this; try again later"]);
  assertEquals(world.faults.map(String), ["TypeError: hunter2 is undefined"]);
  await show(peer, "good");
  assertEquals(told(peer).slice(1), ["welcome", "authenticated"]);
});

Deno.test("of two tokens that are shown at once the first that is judged counts", async () => {
  const { world, t } = await asking();
  t({ token: "ann" });
  t({ token: "bob", subject: "bob" });
  const peer = world.connect({ access: "unknown" });
  peer.send("auth", { token: "ann" });
  await show(peer, "bob");
  assertEquals(told(peer), ["welcome", "authenticated", "UNAUTHORIZED: the token is of another subject"]);
});

Deno.test("a connection too many of its subject is told so when it shows its token, and closed", async () => {
  const { world, t } = await asking();
  t({});
  const details = { limit: "MAX_CONNECTIONS_PER_SUBJECT", max: 1 };
  const subjects: string[] = [];
  const admit: PeerOptions["admit"] = (subject) => {
    subjects.push(subject);
    return { code: "LIMIT_EXCEEDED", message: "too many connections", details };
  };
  const peer = world.peer(new FakeSocket(), { admit });
  peer.connection.open(undefined, { topics: ["task:status"] });
  await show(peer, "good");
  assertEquals([told(peer), peer.socket.closed?.code], [["LIMIT_EXCEEDED: too many connections"], 4429]);
  assertEquals([subjects, world.counts.refused], [["ann"], { MAX_CONNECTIONS_PER_SUBJECT: 1 }]);
  const admitted = world.peer(new FakeSocket(), { admit: () => undefined });
  admitted.connection.open(undefined);
  await show(admitted, "good");
  t({ token: "fresh" });
  await show(admitted, "fresh");
  assertEquals(told(admitted), ["welcome", "authenticated", "authenticated"]);
});

Deno.test("a connection ends with its token, unless a fresh one was shown before", async () => {
  const { world, t } = await asking();
  const [short, kept] = [
    world.connect({ access: t({ inMs: 5_000 }) }),
    world.connect({ access: t({ inMs: 5_000 }) }),
  ];
  const [welcome] = short.socket.frames;
  assert(welcome?.type === "welcome");
  assertEquals(welcome.data.expires_at, world.clock.now() + 5_000);
  world.clock.advance(4_999);
  t({ token: "fresh", inMs: 5_000 });
  await show(kept, "fresh");
  world.clock.advance(1);
  assertEquals(short.socket.closed, { code: 4402, reason: "token expired" });
  assertEquals(told(short), ["welcome", "UNAUTHORIZED: the token has expired"]);
  assertEquals(kept.socket.closed, undefined);
  world.clock.advance(4_998);
  assertEquals(kept.socket.closed, undefined);
  world.clock.advance(1);
  assertEquals(kept.socket.closed?.code, 4402);
  assertEquals(world.clock.pending, 0);
});

Deno.test("a token that is good for months does not end at once, and one without an end never", async () => {
  const { world, t } = await asking();
  const months = 60 * 86_400_000;
  const [long, endless] = [world.connect({ access: t({ inMs: months }) }), world.connect({ access: t({}) })];
  world.clock.advance(months - 1);
  assertEquals(long.socket.closed, undefined);
  world.clock.advance(1);
  assertEquals([long.socket.closed?.code, endless.socket.closed], [4402, undefined]);
});

Deno.test("a clock that is set forward ends who has a token no later than a minute after its end, and back not before", async () => {
  const { world, t } = await asking();
  const hour = 3_600_000;
  const [late, early] = [
    world.connect({ access: t({ inMs: hour }) }),
    world.connect({ access: t({ inMs: 4 * hour }) }),
  ];
  world.clock.set(2 * hour);
  world.clock.advance(60_000);
  assertEquals([late.socket.closed?.code, early.socket.closed], [4402, undefined]);
  world.clock.set(-2 * hour);
  world.clock.advance(3 * hour);
  assertEquals(early.socket.closed, undefined);
  world.clock.advance(hour);
  assertEquals(early.socket.closed?.code, 4402);
});

Deno.test("who shows no token has as long for it as ever when the clock is set", async () => {
  const { world } = await asking();
  const peer = world.connect({ access: "unknown" });
  world.clock.set(-86_400_000);
  world.clock.advance(AUTH_MS - 1);
  world.clock.set(172_800_000);
  assertEquals(peer.socket.closed, undefined);
  world.clock.advance(1);
  assertEquals(peer.socket.closed?.code, 4401);
});

Deno.test("whoever goes leaves no alarm behind", async () => {
  const { world, t } = await asking();
  const peers = [world.connect({ access: t({ inMs: 5_000 }) }), world.connect({ access: "unknown" })];
  for (const peer of peers) peer.vanish();
  assertEquals(world.clock.pending, 0);
});

Deno.test("whoever sees some tasks is told of those, by every topic, snapshot, list and history", async () => {
  const { world, t } = await asking();
  await say(world, "red", "created", { tags: ["red"] });
  await say(world, "blue", "created", { tags: ["blue"] });
  await say(world, "own", "created", { tags: ["blue"] });
  const access = t({ topics: ["task:tag:red", "task:id:own"] });
  const topics = ["task:status", "task:progress", "task:list", "task:id:blue"];
  const now = world.connect({ access, query: { topics } });
  await settled();
  assertEquals(told(now).slice(2).sort(), ["caught_up", "list red own", "own pending", "red pending"].sort());
  const whole = world.connect({ access, query: { topics, replay: "all" } });
  await settled();
  assertEquals(told(whole).filter((word) => word.startsWith("blue") || word.includes(" blue")), []);
  assert(told(whole).includes("red pending") && told(whole).includes("own pending"));
  for (const id of ["red", "blue", "own"]) await say(world, id, "progress", { completed: 1 });
  for (const peer of [now, whole]) {
    assertEquals(told(peer).filter((word) => word.endsWith(" 1")), ["red 1", "own 1"]);
    assertEquals(told(peer).filter((word) => word.includes("blue")), []);
  }
});

Deno.test("a task that comes to carry another tag is told from then on, and to nobody for whom that is not", async () => {
  const { world, t } = await asking();
  const red = world.connect({ access: t({ topics: ["task:tag:red"] }), query: { topics: ["task:status"] } });
  const blue = world.connect({
    access: t({ topics: ["task:tag:blue"] }),
    query: { topics: ["task:status"] },
  });
  await say(world, "a", "started");
  await say(world, "a", "created", { tags: ["red"] });
  await say(world, "a", "paused");
  assertEquals(told(red).slice(3), ["a running", "a paused"]);
  assertEquals(told(blue).slice(3), []);
});

Deno.test("those who may see the same share an audience, and others do not", async () => {
  const { world, t } = await asking();
  const scopes = [["task:tag:a"], ["task:tag:a", "data:*"], ["task:tag:b"], ["task:tag:b"], ["task:*"], [
    "*",
  ]];
  for (const topics of scopes) world.connect({ access: t({ topics }), query: { topics: ["task:status"] } });
  await settled();
  assertEquals(world.router.audiences, 4);
});

Deno.test("a fresh token that is for less is obeyed in the middle of a snapshot and while behind", async () => {
  const { world, t } = await asking();
  const ids = Array.from({ length: 250 }, (_, i) => `t${i}`);
  for (const [i, id] of ids.entries()) world.put(id, "created", { tags: [i % 2 === 0 ? "red" : "blue"] });
  await world.follow();
  const peer = world.connect({ access: t({}) });
  peer.socket.slow = true;
  peer.send("subscribe", { topics: ["task:status"] });
  peer.socket.drain();
  const before = told(peer).length;
  assert(before > 50 && before < 200, `${before}`);
  t({ token: "red", topics: ["task:tag:red"] });
  await show(peer, "red");
  const from = told(peer).length;
  for (let i = 0; i < 20; i++) {
    peer.socket.drain();
    await settled();
  }
  const rest = peer.socket.frames.slice(from).flatMap((frame) =>
    frame.type === "task_status" ? [frame.data.tags] : []
  );
  assertEquals(new Set(rest.flat()), new Set(["red"]));
  assert(rest.length > 20, "there was more to come");
  assertEquals(told(peer).at(-1), "caught_up");
  peer.socket.congest();
  for (const id of ["t0", "t1", "t2", "t3"]) world.put(id, "started");
  await world.follow();
  world.clock.advance(50);
  peer.socket.slow = false;
  peer.socket.drain();
  await settled();
  assertEquals(told(peer).slice(-2), ["t0 running", "t2 running"]);
});

Deno.test("a fresh token that is for more shows what happens from then on, and the rest when it is asked for", async () => {
  const { world, t } = await asking();
  await say(world, "blue", "created", { tags: ["blue"] });
  const peer = world.connect({ access: t({ topics: ["task:tag:red"] }), query: { topics: ["task:status"] } });
  await settled();
  t({ token: "both", topics: ["task:tag:red", "task:tag:blue"] });
  await show(peer, "both");
  assertEquals(told(peer), ["welcome", "subscribed", "caught_up", "authenticated"]);
  await say(world, "blue", "started");
  assertEquals(told(peer).slice(4), ["blue running"]);
  peer.send("get_tasks", {});
  await settled();
  assertEquals(told(peer).slice(5), ["list blue"]);
});

Deno.test("tasks that leave memory are told to those who may see them", async () => {
  const { world, t } = await asking();
  const red = world.connect({
    access: t({ topics: ["task:tag:red"] }),
    query: { topics: ["task:list"], replay: "none" },
  });
  const all = world.connect({ access: t({}), query: { topics: ["task:list"], replay: "none" } });
  await say(world, "red", "created", { tags: ["red"] });
  await say(world, "blue", "created", { tags: ["blue"] });
  world.expire(3);
  world.clock.advance(50);
  await settled();
  assertEquals(told(red).slice(2), ["list red", "list -red"]);
  assertEquals(told(all).slice(2), ["list red", "list blue", "list -red -blue"]);
});

Deno.test("what may not be seen is not there, whatever is asked about it, and no right is had that was not given", async () => {
  const { world, t } = await asking();
  await say(world, "blue", "created", { tags: ["blue"] });
  const asked = ["get_task", "get_history", "cancel_task"] as const;
  const reader = world.connect({ access: t({ topics: ["task:tag:red"], rights: ["subscribe", "cancel"] }) });
  for (const id of ["blue", "none"]) {
    for (const type of asked) reader.send(type, { task_id: id });
    await settled();
    assertEquals(told(reader).slice(-3), asked.map(() => `TASK_NOT_FOUND: no task ${id}`));
  }
  reader.send("get_tasks", {});
  await settled();
  const list = reader.socket.frames.at(-1);
  assertEquals(list?.type === "task_list" && list.data, { tasks: [], total: 0 });
  reader.send("subscribe", { topics: ["task:status", "task:tag:blue"] });
  assertEquals(told(reader).at(-1), "FORBIDDEN: the token is not for task:tag:blue");
  assertEquals(reader.connection.stateName, "quiet");
  const canceller = world.connect({ access: t({ rights: ["cancel"] }) });
  for (const type of ["get_task", "get_history"]) canceller.send(type, { task_id: "blue" });
  canceller.send("get_tasks", {});
  canceller.send("subscribe", { topics: ["task:list"] });
  await settled();
  assertEquals(
    told(canceller).slice(1),
    Array.from({ length: 4 }, () => "FORBIDDEN: the token does not carry the right subscribe"),
  );
  canceller.send("cancel_task", { task_id: "blue" });
  await settled();
  assertEquals(told(canceller).at(-1), "cancel_requested");
});
