import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as v from "valibot";
import { EVERYBODY } from "../../src/access/access.ts";
import type { RequestContext } from "../../src/connection/connection_deps.ts";
import type { Outcome } from "../../src/connection/state.ts";
import { MessageRegistry } from "../../src/messages/message_registry.ts";
import { defineMessage, type MessageType, refuse } from "../../src/messages/message_type.ts";

const EchoData = v.object({ word: v.pipe(v.string(), v.minLength(1)), times: v.optional(v.number(), 1) });

/** A plugin's type: answers `pong` with how often it was told to. */
function echo(cost = 3): MessageType<typeof EchoData> {
  return defineMessage({
    type: "echo",
    schema: EchoData,
    cost,
    handle: ({ times }) => ({ kind: "reply", type: "pong", data: { server_time: times } }),
  });
}

const context: RequestContext = {
  path: "/ws",
  access: EVERYBODY,
  nowMs: 0,
  epoch: "e",
  head: 0,
  served: 0,
};

function dispatch(registry: MessageRegistry, type: string, data: Record<string, unknown>): unknown {
  return registry.dispatch({ type, id: "r1", data }, context);
}

const unknown = (types: string): Outcome => refuse("INVALID_MESSAGE", `type: must be one of ${types}`);

Deno.test("a type is known from when it is registered until it is removed, both while frames come", () => {
  const registry = new MessageRegistry();
  assertEquals(dispatch(registry, "echo", { word: "a" }), unknown(""));
  assertEquals([registry.types, registry.costOf("echo")], [[], undefined]);
  registry.register(echo());
  const pong = { kind: "reply", type: "pong", data: { server_time: 1 } };
  assertEquals(dispatch(registry, "echo", { word: "a" }), pong);
  assertEquals([registry.types, registry.costOf("echo")], [["echo"], 3]);
  assertEquals(registry.unregister("echo"), true);
  assertEquals(dispatch(registry, "echo", { word: "a" }), unknown(""));
  assertEquals([registry.types, registry.costOf("echo")], [[], undefined]);
  assertEquals(registry.unregister("echo"), false);
});

Deno.test("a name that is taken is refused, and the type that has it stays", () => {
  const registry = new MessageRegistry();
  registry.register(echo(3));
  assertThrows(() => registry.register(echo(4)), RangeError, 'message type "echo"');
  assertEquals(registry.costOf("echo"), 3);
  registry.unregister("echo");
  registry.register(echo(4));
  assertEquals(registry.costOf("echo"), 4);
});

Deno.test("a type is handed data that follows its schema, with its defaults, and nothing else", () => {
  const registry = new MessageRegistry();
  const handed: unknown[] = [];
  registry.register(defineMessage({
    ...echo(),
    handle: (data, about) => {
      handed.push(data);
      assertStrictEquals(about, context);
      return { kind: "unsubscribe", topics: [] };
    },
  }));
  dispatch(registry, "echo", { word: "a", other: true });
  dispatch(registry, "echo", { word: "b", times: 2 });
  assertEquals(handed, [{ word: "a", times: 1 }, { word: "b", times: 2 }]);
  const missing = 'data.word: Invalid key: Expected "word" but received undefined';
  assertEquals(dispatch(registry, "echo", {}), refuse("INVALID_MESSAGE", missing));
  const empty = "data.word: Invalid length: Expected >=1 but received 0";
  assertEquals(dispatch(registry, "echo", { word: "", times: "no" }), refuse("INVALID_MESSAGE", empty));
  assertEquals(handed.length, 2);
});

Deno.test("names that every object has are no types", () => {
  const registry = new MessageRegistry();
  registry.register(echo());
  for (const type of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"]) {
    assertEquals(registry.costOf(type), undefined);
    assertEquals(dispatch(registry, type, {}), unknown("echo"));
    assertEquals(registry.unregister(type), false);
  }
});

Deno.test("what a type's handler throws or rejects with is left to the connection", async () => {
  const registry = new MessageRegistry();
  const fault = new Error("a fault of the plugin");
  registry.register(defineMessage({
    ...echo(),
    handle: () => {
      throw fault;
    },
  }));
  registry.register(defineMessage({ ...echo(), type: "late", handle: () => Promise.reject(fault) }));
  assertStrictEquals(assertThrows(() => dispatch(registry, "echo", { word: "a" })), fault);
  const late: unknown = await Promise.resolve(dispatch(registry, "late", { word: "a" })).catch((error) =>
    error
  );
  assertStrictEquals(late, fault);
});
