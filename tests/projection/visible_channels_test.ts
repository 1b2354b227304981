import { assertEquals } from "@std/assert";
import type { Access, Right } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { Channels } from "../../src/projection/channels.ts";
import { visibleChannels } from "../../src/projection/visible_channels.ts";

function accessTo(patterns: readonly string[], right: Right = "subscribe"): Access {
  return { subject: "me", rights: new Set([right]), scope: Scope.of(patterns) };
}

Deno.test("of the channels those are listed that somebody may follow, and the one that changed last is first", () => {
  const namespaces = new Namespaces();
  namespaces.add({ name: "chat" });
  const channels = new Channels(1_000_000, namespaces);
  const topics = ["data:a", "data:secret", "chat:x", "data:a", "strategy:s1"];
  topics.forEach((topic, i) =>
    channels.put({ topic, key: `k${i}`, seq: i + 1, time: i, payload: i, size: 1 })
  );
  const listed = (access: Access): unknown => {
    const told = visibleChannels(channels, access);
    return "refused" in told ? told.refused.code : [told.total, ...told.channels.map(({ topic }) => topic)];
  };
  assertEquals(listed(accessTo(["*"])), [4, "strategy:s1", "data:a", "chat:x", "data:secret"]);
  assertEquals(listed(accessTo(["data:a", "strategy:*"])), [2, "strategy:s1", "data:a"]);
  assertEquals(listed(accessTo(["task:*"])), [0]);
  assertEquals(listed(accessTo(["*"], "publish")), "FORBIDDEN");
  namespaces.remove("chat");
  assertEquals(listed(accessTo(["*"])), [3, "strategy:s1", "data:a", "data:secret"]);
  const told = visibleChannels(channels, accessTo(["data:a"]));
  assertEquals(told, {
    channels: [{ topic: "data:a", keys: 2, seq: 4, time: "1970-01-01T00:00:00.003Z" }],
    total: 1,
  });
});
