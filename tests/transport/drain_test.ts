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
  const slots = clients.flatMap((client) => client.of("drain").map(({ data }) => data.reconnect_after_ms));
  const apart = slots.sort((a, b) => a - b).slice(1).map((slotMs, i) => slotMs - (slots[i] ?? 0));
  assert(apart.every((ms) => ms >= 19 && ms <= 21), `as far apart as there is time: ${slots}`);
});

Deno.test("whoever reads that a gateway goes away finds that it is not ready", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "2000" });
  const readyz = async (): Promise<number> => {
    const { status, body } = await fetch(`http://127.0.0.1:${live.port}/readyz`);
    await body?.cancel();
    return status;
  };
  const [first, ...others] = await Promise.all(Array.from({ length: 10 }, () => live.connect()));
  assertEquals(await readyz(), 200);
  const drained = live.gateway.drain();
  assertEquals([(await first?.next("drain"))?.type, await readyz()], ["drain", 503]);
  for (const client of others) assertEquals(await client.ended(), RESTART);
  await drained;
});

Deno.test("who does not answer that it is closed is waited for until the time is over", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "1000" });
  using staying = await RawPeer.connect(live.port); // answers no close
  const startedMs = performance.now();
  const drained = live.gateway.drain();
  const { code } = await staying.untilClosed();
  assertEquals(code, 1012);
  await drained;
  // A fifth of the time is for what comes after.
  assert(performance.now() - startedMs >= 790);
  await staying.end();
});

Deno.test("between drain and close a client is served as before", async () => {
  await using live = await LiveGateway.start({ DRAIN_MS: "4000" });
  // The slot of one of them is late enough.
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
