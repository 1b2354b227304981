import { assert, assertEquals } from "@std/assert";
import { EVERYBODY } from "../../src/access/access.ts";
import type { Position } from "../../src/connection/flow.ts";
import {
  type Effect,
  type Input,
  type Limits,
  type Outcome,
  type Serving,
  type State,
  stateName,
} from "../../src/connection/state.ts";
import { step } from "../../src/connection/step.ts";
import { Removals } from "../../src/projection/removals.ts";

const LIMITS: Limits = { maxTopics: 3, rate: { perSecond: 10, burst: 4 }, authMs: 1_000 };
const AT: Position = {
  epoch: "e1",
  head: 9,
  cursor: 7,
  told: { at: 7, count: 0 },
  removals: new Removals(),
};
const ERROR = { code: "INVALID_MESSAGE", message: "type: must be a string", details: {} } as const;

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

function opened(): Serving {
  const [state] = decided({ kind: "greeting" }, { kind: "opened", atMs: 0, access: EVERYBODY });
  assert(state.kind === "open");
  return state;
}

/** One that is live on a topic. */
function live(): Serving {
  const [state] = decided(opened(), subscribed(["task:status"]));
  assert(state.kind === "open" && state.flow.kind === "live");
  return state;
}

function subscribed(topics: readonly string[]): Input {
  return answer({ kind: "subscribe", topics, start: { kind: "none" } });
}

function answer(outcome: Outcome, atMs = 0): Input {
  return { kind: "answer", id: "r1", outcome, atMs };
}

function invalid(atMs: number): Input {
  return { kind: "invalid", id: "bad", error: ERROR, atMs };
}

function request(cost: number, atMs: number): Input {
  return { kind: "request", frame: { type: "ping", id: "r1", data: {} }, cost, atMs };
}

const kinds = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);

const EVERY_INPUT: readonly Input[] = [
  { kind: "opened", atMs: 0, access: EVERYBODY },
  request(1, 0),
  invalid(0),
  subscribed(["task:status"]),
  { kind: "flow", input: { kind: "lagged", cursor: 3 } },
  { kind: "rebuilt", reason: "epoch", served: 3 },
  { kind: "drain", reconnectAfterMs: 5 },
  { kind: "close", why: "idle" },
  { kind: "socketClosed" },
];

Deno.test("nothing is said before the welcome, and nothing after the end", () => {
  for (const input of EVERY_INPUT) {
    const [state, effects] = step({ kind: "greeting" }, input, AT, LIMITS);
    if (input.kind === "opened") {
      assertEquals([stateName(state), kinds(effects)], ["quiet", ["welcome", "setAlarm"]]);
    } else if (input.kind === "close") {
      assertEquals([stateName(state), kinds(effects)], ["closed", ["close"]]);
    } else if (input.kind === "socketClosed") assertEquals([stateName(state), effects], ["closed", []]);
    else assertEquals([stateName(state), effects], ["greeting", []]);
    assertEquals(step({ kind: "closed" }, input, AT, LIMITS), [{ kind: "closed" }, []]);
  }
});

Deno.test("a state is counted by what its client is served", () => {
  assertEquals(stateName(opened()), "quiet");
  assertEquals(stateName(live()), "live");
  const [behind] = decided(live(), { kind: "flow", input: { kind: "lagged", cursor: 3 } });
  assertEquals(stateName(behind), "behind");
  assertEquals(stateName({ ...live(), kind: "draining" }), "draining");
});

Deno.test("requests beyond the rate are told when to come again, and cost nothing", () => {
  const [state, effects] = decided(opened(), ...Array.from({ length: 6 }, () => request(1, 0)));
  assertEquals(kinds(effects), ["dispatch", "dispatch", "dispatch", "dispatch", "error", "error"]);
  const error = effects.at(-1);
  assertEquals(error, {
    kind: "error",
    id: "r1",
    error: {
      code: "RATE_LIMITED",
      message: "more than 10 messages a second",
      details: { retry_after_ms: 100 },
    },
  });
  assertEquals(kinds(step(state, request(1, 100), AT, LIMITS)[1]), ["dispatch"]);
});

Deno.test("what the handshake asked for costs nothing", () => {
  const [, effects] = decided(opened(), ...Array.from({ length: 9 }, () => request(0, 0)));
  assertEquals(kinds(effects), Array.from({ length: 9 }, () => "dispatch"));
});

Deno.test("the tenth invalid frame within a minute ends the connection, after its error", () => {
  const nine = Array.from({ length: 9 }, (_, i) => invalid(i * 1_000));
  const [state, effects] = decided(live(), ...nine);
  assertEquals([stateName(state), kinds(effects)], ["live", Array.from({ length: 9 }, () => "error")]);
  const [late] = decided(state, invalid(60_000));
  assertEquals(stateName(late), "live", "the first is a minute old");
  const [ended, last] = decided(state, invalid(59_999));
  assertEquals([stateName(ended), kinds(last)], ["closed", ["error", "leave", "close"]]);
  assertEquals(last.at(-1), { kind: "close", why: "invalidFrames" });
});

Deno.test("an answer INVALID_MESSAGE counts as an invalid frame, other errors do not", () => {
  const bad = answer({ kind: "error", error: ERROR });
  const [ended] = decided(opened(), ...Array.from({ length: 10 }, () => bad));
  assertEquals(stateName(ended), "closed");
  const other = answer({ kind: "error", error: { ...ERROR, code: "TOPIC_NOT_FOUND" } });
  const [state, effects] = decided(opened(), ...Array.from({ length: 30 }, () => other));
  assertEquals([stateName(state), effects.length], ["quiet", 30]);
});

Deno.test("more topics than allowed are refused together, and those held stay", () => {
  const [state, effects] = decided(
    opened(),
    subscribed(["task:status", "task:list"]),
    subscribed(["a", "b"]),
  );
  assertEquals(effects.at(-1), {
    kind: "error",
    id: "r1",
    error: {
      code: "LIMIT_EXCEEDED",
      message: "a connection holds at most 3 topics",
      details: { limit: "MAX_TOPICS", max: 3 },
    },
  });
  assert(state.kind === "open" && state.flow.kind === "live");
  assertEquals([...state.flow.held.keys()], ["task:status", "task:list"]);
  const [, again] = decided(state, subscribed(["task:status", "task:list", "a"]));
  assertEquals(again[0]?.kind, "leave", "what is held already does not count twice");
});

Deno.test("a drain is told once, with the cursor; the client is served on, and asks as before", () => {
  const [state, effects] = decided(live(), { kind: "drain", reconnectAfterMs: 40 }, {
    kind: "drain",
    reconnectAfterMs: 80,
  });
  assertEquals(effects, [{ kind: "drain", data: { reconnect_after_ms: 40, seq: 7, epoch: "e1" } }]);
  assertEquals(kinds(decided(state, request(1, 0), subscribed(["task:list"]))[1]).slice(0, 3), [
    "dispatch",
    "leave",
    "tell",
  ]);
  const [, lagging] = decided(state, { kind: "flow", input: { kind: "lagged", cursor: 3 } });
  assertEquals(kinds(lagging), ["readPage"]);
  const [ended, last] = decided(state, { kind: "close", why: "restart" });
  assertEquals([stateName(ended), kinds(last)], ["closed", ["leave", "close"]]);
});

Deno.test("a drain amid a snapshot names no cursor", () => {
  const walking = answer({ kind: "subscribe", topics: ["task:list"], start: { kind: "latest" } });
  const [, effects] = decided(opened(), walking, { kind: "drain", reconnectAfterMs: 1 });
  assertEquals(effects.at(-1), { kind: "drain", data: { reconnect_after_ms: 1, epoch: "e1" } });
});

Deno.test("whoever ends leaves its audience, and only then", () => {
  for (const input of [{ kind: "close", why: "idle" }, { kind: "socketClosed" }] as const) {
    assertEquals(kinds(decided(live(), input)[1])[0], "leave");
    assertEquals(kinds(decided(opened(), input)[1]).includes("leave"), false);
    const [behind] = decided(live(), { kind: "flow", input: { kind: "lagged", cursor: 3 } });
    assertEquals(kinds(decided(behind, input)[1]).includes("leave"), false);
  }
});
