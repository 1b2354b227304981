import { assert, assertEquals } from "@std/assert";
import { eventOf, LiveGateway } from "./live_gateway.ts";
import { RawPeer } from "./raw_peer.ts";

const RESTART = { code: 1012, reason: "service restart" };

Deno.test("a drain is told to everyone, each with a slot and the position to resume from, then closed with 1012", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "1000" });
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => live.connect("/ws?topics=task:status")),
  );
  const seq = await live.append(eventOf("job1", "created"));
  for (const client of clients) await client.next("task_status");
  const startedMs = performance.now();
  const drained = live.gateway.drain();
  for (const client of clients) {
    const { data } = await client.next("drain");
    const [{ data: { epoch } } = { data: { epoch: "" } }] = client.of("welcome");
    assertEquals(data, { reconnect_after_ms: data.reconnect_after_ms, seq, epoch });
    assert(data.reconnect_after_ms <= 500, `${data.reconnect_after_ms}`);
    assertEquals(await client.ended(), RESTART);
    assertEquals(client.frames.at(-1)?.type, "drain");
    assert(performance.now() - startedMs >= data.reconnect_after_ms - 50, "not before its slot");
  }
  await drained;
  assert(performance.now() - startedMs < 1_500);
  const slots = new Set(clients.map((client) => client.of("drain")[0]?.data.reconnect_after_ms));
  assert(slots.size > 1, "they do not come back all at once");
});

Deno.test("between drain and close a client is served as before", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "4000" });
  // Slots are drawn at random over the number of clients; one of them has time enough.
  const clients = await Promise.all(
    Array.from({ length: 60 }, () => live.connect("/ws?topics=task:status")),
  );
  for (const client of clients) await client.next("caught_up");
  const drained = live.gateway.drain();
  const slots = await Promise.all(
    clients.map(async (client) => (await client.next("drain")).data.reconnect_after_ms),
  );
  const latest = slots.indexOf(Math.max(...slots));
  const client = clients[latest];
  assert(client !== undefined);
  assertEquals((await client.request("ping")).type, "pong");
  const seq = await live.append(eventOf("job1", "created"));
  assertEquals((await client.next("task_status")).seq, seq);
  const unknown = await client.request("get_task", { task_id: "nobody" });
  assert(unknown.type === "error");
  assertEquals(unknown.error.code, "TASK_NOT_FOUND");
  assertEquals(await client.ended(), RESTART);
  await drained;
});

Deno.test("from the drain on new connections are answered 503", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "2000" });
  using staying = await RawPeer.connect(live.port); // answers no close
  const drained = live.gateway.drain();
  using peer = await RawPeer.ask(live.port);
  assertEquals([peer.status, peer.header("retry-after")], [503, "1"]);
  const { code, messages } = await staying.untilClosed();
  assertEquals([code, messages.map(({ type }) => type)], [1012, ["welcome", "drain"]]);
  await staying.end();
  await drained;
});
