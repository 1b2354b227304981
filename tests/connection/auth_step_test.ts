import { assert, assertEquals } from "@std/assert";
import { type Access, EVERYBODY, type Right } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import type { Position } from "../../src/connection/flow.ts";
import type { Effect, Input, Limits, Outcome, Serving, State, Unknown } from "../../src/connection/state.ts";
import { stateName } from "../../src/connection/state.ts";
import { step } from "../../src/connection/step.ts";
import { Removals } from "../../src/projection/removals.ts";
import type { ClientFrame } from "../../src/protocol/client_frames.ts";

const LIMITS: Limits = { maxTopics: 9, rate: { perSecond: 10, burst: 4 }, authMs: 1_000 };
const HEAD = 9;
const AT: Position = {
  epoch: "e1",
  head: HEAD,
  cursor: HEAD,
  told: { at: HEAD, count: 0 },
  removals: new Removals(),
};
const FIRST: ClientFrame = { type: "subscribe", id: "first", data: { topics: ["task:status"] } };
const SHOWN = { code: "UNAUTHORIZED", details: {} } as const;

function having(about: {
  readonly subject?: string;
  readonly rights?: readonly Right[];
  readonly topics?: readonly string[];
  readonly expiresAtMs?: number;
}): Access {
  const { subject = "ann", rights = ["subscribe"], topics = ["task:*"], expiresAtMs } = about;
  const access: Access = { subject, rights: new Set(rights), scope: Scope.of(topics) };
  return expiresAtMs === undefined ? access : { ...access, expiresAtMs };
}

function decided(state: State, ...inputs: readonly Input[]): [State, Effect[]] {
  const effects: Effect[] = [];
  let next = state;
  for (const input of inputs) {
    const [after, more] = step(next, input, AT, LIMITS);
    next = after;
    effects.push(...more);
  }
  return [next, effects];
}

/** A connection that came at 0 without a token. */
function unknown(first?: ClientFrame): Unknown {
  const opened: Input = first === undefined
    ? { kind: "opened", atMs: 0 }
    : { kind: "opened", atMs: 0, first };
  const [state] = decided({ kind: "greeting" }, opened);
  assert(state.kind === "unknown");
  return state;
}

/** One that is live on these topics, with this access. */
function live(access: Access, ...topics: readonly string[]): Serving {
  const [state] = decided(
    { kind: "greeting" },
    { kind: "opened", atMs: 0, access },
    answer({ kind: "subscribe", topics, start: { kind: "none" } }),
  );
  assert(state.kind === "open" && state.flow.kind === "live");
  return state;
}

function answer(outcome: Outcome, atMs = 0): Input {
  return { kind: "answer", id: "r1", outcome, atMs };
}

function request(type: string, atMs = 0, cost = 1): Input {
  return { kind: "request", frame: { type, id: "r1", data: {} }, cost, atMs };
}

function shows(access: Access): Input {
  return answer({ kind: "access", access });
}

const kinds = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);

/** What tells that a token was taken. */
function authenticated(expiresAtMs?: number): Effect {
  const data = expiresAtMs === undefined ? {} : { expires_at: expiresAtMs };
  return { kind: "reply", id: "r1", reply: { kind: "reply", type: "authenticated", data } };
}

Deno.test("who comes without a token is told nothing, and has so long to show one", () => {
  const [state, effects] = decided({ kind: "greeting" }, { kind: "opened", atMs: 5_000, first: FIRST });
  assertEquals([stateName(state), effects], ["unknown", [{ kind: "setAlarm", afterMs: 1_000 }]]);
});

Deno.test("a token that is shown in time is greeted, answered, and what the handshake asked for is looked at", () => {
  const access = having({ expiresAtMs: 60_000 });
  const [asked, dispatched] = decided(unknown(FIRST), request("auth"));
  assertEquals(dispatched, [{ kind: "dispatch", frame: { type: "auth", id: "r1", data: {} } }]);
  const [state, effects] = decided(asked, shows(access));
  assert(state.kind === "open");
  assertEquals([state.flow, state.access], [{ kind: "quiet" }, access]);
  assertEquals(effects, [
    { kind: "welcome" },
    authenticated(60_000),
    { kind: "setAlarm", atMs: 60_000 },
    { kind: "dispatch", frame: FIRST },
  ]);
  assertEquals(decided(unknown(), shows(EVERYBODY))[1], [
    { kind: "welcome" },
    authenticated(),
    { kind: "setAlarm", atMs: undefined },
  ]);
});

Deno.test("nothing else is listened to before, and the tenth time ends it", () => {
  const types = [
    "ping",
    "subscribe",
    "unsubscribe",
    "get_task",
    "get_tasks",
    "cancel_task",
    "nonsense",
    "Auth",
    "auth ",
  ];
  const [state, effects] = decided(unknown(), ...types.map((type) => request(type)));
  const error = { ...SHOWN, message: "the connection has to show a token first, by auth" };
  assertEquals(effects, types.map(() => ({ kind: "error", id: "r1", error })));
  assertEquals(stateName(state), "unknown");
  const [ended, last] = decided(state, request("ping"));
  assertEquals([ended.kind, last], ["closed", [{ kind: "error", id: "r1", error }, {
    kind: "close",
    why: "invalidFrames",
  }]]);
});

Deno.test("a token that opens nothing ends a connection that has shown no other", () => {
  for (const close of ["unauthorized", "tokenExpired", "overloaded", "limited"] as const) {
    const error = { ...SHOWN, message: "why" };
    const [state, effects] = decided(unknown(FIRST), answer({ kind: "refusedAccess", error, close }));
    assertEquals([state, effects], [{ kind: "closed" }, [{ kind: "error", id: "r1", error }, {
      kind: "close",
      why: close,
    }]]);
  }
});

Deno.test("who shows no token in time is told so, and closed", () => {
  assertEquals(decided(unknown(FIRST), { kind: "alarm" }), [{ kind: "closed" }, [
    { kind: "error", id: undefined, error: { ...SHOWN, message: "no token was shown in time" } },
    { kind: "close", why: "unauthorized" },
  ]]);
  const [late] = decided(unknown(FIRST), request("auth"), { kind: "alarm" });
  assertEquals(decided(late, shows(EVERYBODY)), [{ kind: "closed" }, []]);
});

Deno.test("an auth that cannot be read counts as invalid, and a fault of ours leaves time to try again", () => {
  const bad = answer({
    kind: "error",
    error: { code: "INVALID_MESSAGE", message: "data.token: must be a text", details: {} },
  });
  const [struck, errors] = decided(unknown(), ...Array.from({ length: 9 }, () => bad));
  assertEquals([stateName(struck), new Set(kinds(errors))], ["unknown", new Set(["error"])]);
  assertEquals(decided(struck, bad)[1].at(-1), { kind: "close", why: "invalidFrames" });
  const ours = answer({ kind: "error", error: { code: "SERVER_ERROR", message: "later", details: {} } });
  const [state, effects] = decided(unknown(FIRST), ...Array.from({ length: 30 }, () => ours));
  assertEquals([stateName(state), effects.length], ["unknown", 30]);
  assertEquals(stateName(decided(state, shows(EVERYBODY))[0]), "quiet");
});

Deno.test("what happens to tasks and to the log is no matter of a connection that showed no token", () => {
  const inputs: readonly Input[] = [
    { kind: "opened", atMs: 0, access: EVERYBODY },
    { kind: "flow", input: { kind: "lagged", cursor: 3 } },
    { kind: "rebuilt", reason: "epoch", served: 3 },
    answer({ kind: "subscribe", topics: ["task:status"], start: { kind: "latest" } }),
    answer({ kind: "unsubscribe", topics: ["task:status"] }),
    answer({ kind: "reply", type: "pong", data: { server_time: 1 } }),
  ];
  const state = unknown(FIRST);
  for (const input of inputs) assertEquals(step(state, input, AT, LIMITS), [state, []]);
});

Deno.test("a gateway that goes away closes those that showed no token at once, and whoever goes leaves no audience", () => {
  const ends: readonly (readonly [Input, readonly Effect[]])[] = [
    [{ kind: "drain", reconnectAfterMs: 5 }, [{ kind: "close", why: "restart" }]],
    [{ kind: "close", why: "idle" }, [{ kind: "close", why: "idle" }]],
    [{ kind: "socketClosed" }, []],
  ];
  for (const [input, effects] of ends) {
    assertEquals(decided(unknown(FIRST), input), [{ kind: "closed" }, [...effects]]);
  }
});

Deno.test("when its token has expired a connection is told so, and closed, while it is drained too", () => {
  const error = { ...SHOWN, message: "the token has expired" };
  const [draining] = decided(live(having({}), "task:status"), { kind: "drain", reconnectAfterMs: 5 });
  for (const state of [live(having({}), "task:status"), draining]) {
    assertEquals(decided(state, { kind: "alarm" }), [{ kind: "closed" }, [
      { kind: "error", id: undefined, error },
      { kind: "leave" },
      { kind: "close", why: "tokenExpired" },
    ]]);
  }
});

Deno.test("a fresh token of the same subject goes on where the last was, to its own end", () => {
  const before = live(having({ expiresAtMs: 10_000 }), "task:status");
  const fresh = having({ expiresAtMs: 90_000, rights: ["subscribe", "cancel"] });
  assertEquals(decided(before, shows(fresh)), [{ ...before, access: fresh }, [
    authenticated(90_000),
    { kind: "setAlarm", atMs: 90_000 },
  ]]);
  const endless = having({});
  assertEquals(decided(before, shows(endless))[1], [authenticated(), { kind: "setAlarm", atMs: undefined }]);
});

Deno.test("a token of another subject changes nothing, whatever it would allow", () => {
  const before = live(having({ expiresAtMs: 10_000 }), "task:status");
  for (const subject of ["bob", "", "Ann", "ann "]) {
    assertEquals(decided(before, shows(having({ subject, rights: ["admin"], topics: ["*"] }))), [before, [
      { kind: "error", id: "r1", error: { ...SHOWN, message: "the token is of another subject" } },
    ]]);
  }
});

Deno.test("a fresh token that opens nothing changes nothing while the last one lasts", () => {
  const before = live(having({ expiresAtMs: 10_000 }), "task:status");
  for (const close of ["unauthorized", "tokenExpired", "overloaded"] as const) {
    const error = { ...SHOWN, message: "why" };
    assertEquals(decided(before, answer({ kind: "refusedAccess", error, close })), [before, [
      { kind: "error", id: "r1", error },
    ]]);
  }
});

Deno.test("topics that a fresh token is not for are left, and named", () => {
  const before = live(having({}), "task:status", "task:tag:red", "task:tag:blue", "task:id:a");
  const [state, effects] = decided(before, shows(having({ topics: ["task:tag:red"] })));
  assert(state.kind === "open" && state.flow.kind === "live");
  assertEquals([...state.flow.held.keys()].sort(), ["task:id:a", "task:status", "task:tag:red"]);
  assertEquals(effects.slice(0, 3), [
    authenticated(),
    { kind: "setAlarm", atMs: undefined },
    {
      kind: "error",
      id: undefined,
      error: {
        code: "FORBIDDEN",
        message: "the token is not for task:tag:blue",
        details: { topics: ["task:tag:blue"] },
      },
    },
  ]);
  const told = effects.find((effect) => effect.kind === "tell");
  assertEquals(told, {
    kind: "tell",
    type: "unsubscribed",
    requestId: undefined,
    data: { topics: ["task:id:a", "task:status", "task:tag:red"], epoch: "e1", seq: HEAD },
  });
  assertEquals(kinds(effects).filter((kind) => kind === "leave" || kind === "join"), ["leave", "join"]);
});

Deno.test("a fresh token without the right to subscribe leaves nothing held", () => {
  const before = live(having({}), "task:status", "task:list");
  const [state, effects] = decided(before, shows(having({ rights: ["publish", "cancel"] })));
  assert(state.kind === "open");
  assertEquals(state.flow, { kind: "quiet" });
  assertEquals(kinds(effects), ["reply", "setAlarm", "error", "leave", "tell"]);
  assertEquals(effects[2], {
    kind: "error",
    id: undefined,
    error: {
      code: "FORBIDDEN",
      message: "the token is not for task:list",
      details: { topics: ["task:list", "task:status"] },
    },
  });
});

Deno.test("who may see other tasks than before moves to an audience of its like, though its topics are the same", () => {
  const wide = live(having({}), "task:status");
  const narrow = live(having({ topics: ["task:tag:red"] }), "task:status");
  const cases = [
    [wide, having({ topics: ["task:tag:red"] })],
    [narrow, having({ topics: ["task:tag:red", "task:tag:blue"] })],
    [narrow, having({ topics: ["task:*"] })],
  ] as const;
  for (const [before, access] of cases) {
    const [state, effects] = decided(before, shows(access));
    assert(state.kind === "open");
    assertEquals([state.flow.kind, state.access], ["live", access]);
    assertEquals(kinds(effects), ["reply", "setAlarm", "leave", "join"]);
    const { flow } = before;
    assert(flow.kind === "live");
    assertEquals(effects.at(-1), { kind: "join", held: flow.held, cursor: HEAD });
  }
  const same = having({ topics: ["task:tag:red"], rights: ["subscribe", "cancel"] });
  assertEquals(
    kinds(decided(narrow, shows(same))[1]),
    ["reply", "setAlarm"],
    "and stays where it may see the same",
  );
});

Deno.test("who is behind when it may see less stays behind, and holds what it may", () => {
  const [behind] = decided(
    { kind: "greeting" },
    { kind: "opened", atMs: 0, access: having({}) },
    answer({
      kind: "subscribe",
      topics: ["task:status", "task:tag:blue"],
      start: { kind: "since", epoch: "e1", seq: 3 },
    }),
  );
  assertEquals(stateName(behind), "behind");
  const [state, effects] = decided(behind, shows(having({ topics: ["task:tag:red"] })));
  assert(state.kind === "open" && state.flow.kind === "behind");
  assertEquals([...state.flow.held.keys()], ["task:status"]);
  assertEquals(kinds(effects), ["reply", "setAlarm", "error", "tell", "readPage"]);
});

Deno.test("who is refused for its number far beyond what may come at once is closed, with a token or without", () => {
  const most = 10 * LIMITS.rate.burst;
  for (const [state, leaves] of [[live(having({}), "task:status"), ["leave"]], [unknown(), []]] as const) {
    const flood = Array.from({ length: LIMITS.rate.burst + most }, () => request("auth"));
    const [before, effects] = decided(state, ...flood);
    assertEquals([before.kind, kinds(effects).filter((kind) => kind === "error").length], [state.kind, most]);
    const [ended, last] = decided(before, request("auth"));
    assertEquals([ended.kind, kinds(last)], ["closed", ["error", ...leaves, "close"]]);
    assertEquals(last.at(-1), { kind: "close", why: "limited" });
  }
});

Deno.test("who is refused as often in more than ten seconds is not", () => {
  const most = 10 * LIMITS.rate.burst;
  let state: State = live(having({}), "task:status");
  for (let round = 0; round < 5; round++) {
    // What costs more than the bucket holds takes all of it; further ones find it empty.
    const atMs = round * 10_000;
    [state] = decided(
      state,
      request("get_tasks", atMs, 100),
      ...Array.from({ length: most }, () => request("ping", atMs)),
    );
    assertEquals(state.kind, "open", `round ${round}`);
  }
  [state] = decided(state, request("ping", 49_999));
  assertEquals(state.kind, "open");
});

Deno.test("what was to be subscribed when rights were lost is judged by those that are left", () => {
  const before = live(having({ topics: ["task:tag:a", "task:tag:b"] }), "task:tag:b");
  const asked = answer({ kind: "subscribe", topics: ["task:tag:a"], start: { kind: "none" } });
  const fewer = having({ topics: ["task:tag:b"] });
  const [narrowed] = decided(before, shows(fewer));
  const [state, effects] = decided(narrowed, asked);
  assertEquals(state, narrowed);
  const message = "the token is not for task:tag:a";
  const error = { code: "FORBIDDEN", message, details: { topics: ["task:tag:a"] } } as const;
  assertEquals(effects, [{ kind: "error", id: "r1", error }]);
  assertEquals(kinds(decided(before, asked)[1]), ["leave", "tell", "join"]);
});
