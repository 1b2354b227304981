import { assert, assertEquals, assertMatch } from "@std/assert";
import * as v from "valibot";
import { defineMessage } from "../../src/messages/message_type.ts";
import { LiveGateway } from "../transport/live_gateway.ts";

const fault = defineMessage({
  type: "fault",
  schema: v.object({ late: v.optional(v.boolean(), false) }),
  cost: 1,
  handle: ({ late }) => {
    const error = new Error("a secret of the plugin");
    if (late) return Promise.reject(error);
    throw error;
  },
});

Deno.test("a type that is added to a running gateway is answered, and is none any more once it is removed", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  const time = defineMessage({
    type: "time",
    schema: v.object({ zone: v.string() }),
    cost: 1,
    handle: (_data, { nowMs }) =>
      Promise.resolve({ kind: "reply", type: "pong", data: { server_time: nowMs } }),
  });
  const types = async (): Promise<string> => {
    const refused = await client.request("time", { zone: "UTC" });
    if (refused.type !== "error") return refused.type;
    assertEquals(refused.error.code, "INVALID_MESSAGE");
    return refused.error.message;
  };
  assertEquals(await types(), `type: must be one of ${pipeline.messages.types.join(", ")}`);
  pipeline.messages.register(time);
  assertEquals(await types(), "pong");
  const wrong = await client.request("time");
  assert(wrong.type === "error");
  assertMatch(wrong.error.message, /^data\.zone: /);
  pipeline.messages.unregister("time");
  assertMatch(
    await types(),
    /^type: must be one of auth, cancel_task, get_history, get_task, get_tasks, ping, publish, subscribe, unsubscribe$/,
  );
  const { messages } = await metricsOf(live);
  assertEquals([messages["time"], messages["unknown"]], [2, 2]);
});

Deno.test("a type that fails is our fault: an incident, told without its reason, and the connection goes on", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  live.gateway.pipeline?.messages.register(fault);
  for (const late of [false, true]) {
    const answer = await client.request("fault", { late });
    assert(answer.type === "error");
    const { code, message, details } = answer.error;
    assertEquals(code, "SERVER_ERROR");
    assert(!message.includes("secret"));
    const incident = live.incidents.at(-1) ?? "";
    assert(incident.includes(String(details["incident"])), incident);
    assert(incident.includes("a secret of the plugin"), incident);
  }
  assertEquals(live.incidents.length, 2);
  assertEquals((await client.request("ping")).type, "pong");
});

/** How many messages of each type were counted. */
async function metricsOf(live: LiveGateway): Promise<{ messages: Record<string, number> }> {
  const text = await live.telemetry.metrics();
  const counted = text.matchAll(/^taskwire_messages_total\{type="(\w+)"\} (\d+)$/gm);
  return { messages: Object.fromEntries([...counted].map(([, type = "", count]) => [type, Number(count)])) };
}
