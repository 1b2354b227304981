import { assertEquals } from "@std/assert";
import type { Access, Right } from "../../src/access/access.ts";
import { taskOf } from "../../src/protocol/topics.ts";
import { Scope, type TaskNames } from "../../src/access/scope.ts";
import { CHANNELS } from "../../src/channel/built_in.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { Channels } from "../../src/projection/channels.ts";
import { visibleChannels } from "../../src/projection/visible_channels.ts";

function accessTo(patterns: readonly string[], right: Right = "subscribe"): Access {
  return { subject: "me", rights: new Set([right]), scope: Scope.of(patterns) };
}

function aboutOf(topic: string): TaskNames | undefined {
  const taskId = taskOf(topic);
  return taskId === undefined ? undefined : { taskId, tags: taskId === "tagged" ? ["mine"] : [] };
}

Deno.test("a channel about a task is listed for whoever may see the task", () => {
  const channels = new Channels(1_000_000, new Namespaces([{ name: "log", of: "task" }]));
  for (const [i, id] of ["one", "tagged"].entries()) {
    channels.put({ topic: `task:id:${id}:log`, key: "", seq: i + 1, time: i, json: `${i}` });
  }
  const listed = (...patterns: readonly string[]): unknown => {
    const told = visibleChannels({ channels, aboutOf }, accessTo(patterns));
    return "channels" in told && told.channels.map(({ topic }) => topic);
  };
  assertEquals(listed("task:*"), ["task:id:tagged:log", "task:id:one:log"]);
  assertEquals(listed("task:tag:mine"), ["task:id:tagged:log"]);
  assertEquals(listed("task:id:one", "task:tag:other"), ["task:id:one:log"]);
  assertEquals(listed("log:*", "data:*"), []);
});

Deno.test("of the channels those are listed that somebody may follow, and the one that changed last is first", () => {
  const namespaces = new Namespaces(CHANNELS);
  namespaces.add({ name: "chat" });
  const channels = new Channels(1_000_000, namespaces);
  const topics = ["data:a", "data:secret", "chat:x", "data:a", "strategy:s1"];
  topics.forEach((topic, i) => channels.put({ topic, key: `k${i}`, seq: i + 1, time: i, json: `${i}` }));
  const listed = (access: Access): unknown => {
    const told = visibleChannels({ channels, aboutOf }, access);
    return "refused" in told ? told.refused.code : [told.total, ...told.channels.map(({ topic }) => topic)];
  };
  assertEquals(listed(accessTo(["*"])), [4, "strategy:s1", "data:a", "chat:x", "data:secret"]);
  assertEquals(listed(accessTo(["data:a", "strategy:*"])), [2, "strategy:s1", "data:a"]);
  assertEquals(listed(accessTo(["task:*"])), [0]);
  assertEquals(listed(accessTo(["*"], "publish")), "FORBIDDEN");
  namespaces.remove("chat");
  assertEquals(listed(accessTo(["*"])), [3, "strategy:s1", "data:a", "data:secret"]);
  const told = visibleChannels({ channels, aboutOf }, accessTo(["data:a"]));
  assertEquals(told, {
    channels: [{ topic: "data:a", keys: 2, seq: 4, time: "1970-01-01T00:00:00.003Z" }],
    total: 1,
  });
});
