import { assertEquals } from "@std/assert";
import type { Access, Right } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import { CHANNELS } from "../../src/channel/built_in.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { Channels } from "../../src/projection/channels.ts";
import { visibleChannels } from "../../src/projection/visible_channels.ts";

function accessTo(patterns: readonly string[], right: Right = "subscribe"): Access {
  return { subject: "me", rights: new Set([right]), scope: Scope.of(patterns) };
}

/** Of these everything is known. */
const settle = (): undefined => undefined;

Deno.test("a channel about a task is listed for whoever could see the task when its last value came", async () => {
  const channels = new Channels(1_000_000, new Namespaces([{ name: "log", of: "task" }]));
  for (const [i, id] of ["one", "tagged"].entries()) {
    const about = { taskId: id, tags: id === "tagged" ? ["mine"] : [] };
    channels.put({ topic: `task:id:${id}:log`, key: "", seq: i + 1, time: i, json: `${i}` }, about);
  }
  const listed = async (...patterns: readonly string[]): Promise<unknown> => {
    const told = await visibleChannels({ channels, settle }, accessTo(patterns));
    return "channels" in told && told.channels.map(({ topic }) => topic);
  };
  assertEquals(await listed("task:*"), ["task:id:tagged:log", "task:id:one:log"]);
  assertEquals(await listed("task:tag:mine"), ["task:id:tagged:log"]);
  assertEquals(await listed("task:id:one", "task:tag:other"), ["task:id:one:log"]);
  assertEquals(await listed("log:*", "data:*"), []);
});

Deno.test("of the channels those are listed that somebody may follow, and the one that changed last is first", async () => {
  const namespaces = new Namespaces(CHANNELS);
  namespaces.add({ name: "chat" });
  const channels = new Channels(1_000_000, namespaces);
  const topics = ["data:a", "data:secret", "chat:x", "data:a", "strategy:s1"];
  topics.forEach((topic, i) => channels.put({ topic, key: `k${i}`, seq: i + 1, time: i, json: `${i}` }));
  const listed = async (access: Access): Promise<unknown> => {
    const told = await visibleChannels({ channels, settle }, access);
    return "refused" in told ? told.refused.code : [told.total, ...told.channels.map(({ topic }) => topic)];
  };
  assertEquals(await listed(accessTo(["*"])), [4, "strategy:s1", "data:a", "chat:x", "data:secret"]);
  assertEquals(await listed(accessTo(["data:a", "strategy:*"])), [2, "strategy:s1", "data:a"]);
  assertEquals(await listed(accessTo(["task:*"])), [0]);
  assertEquals(await listed(accessTo(["*"], "publish")), "FORBIDDEN");
  namespaces.remove("chat");
  assertEquals(await listed(accessTo(["*"])), [3, "strategy:s1", "data:a", "data:secret"]);
  const told = await visibleChannels({ channels, settle }, accessTo(["data:a"]));
  assertEquals(told, {
    channels: [{ topic: "data:a", keys: 2, seq: 4, time: "1970-01-01T00:00:00.003Z" }],
    total: 1,
  });
});
