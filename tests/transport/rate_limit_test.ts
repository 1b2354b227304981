import { assert, assertEquals } from "@std/assert";
import { LiveGateway } from "./live_gateway.ts";

Deno.test("messages above the rate are refused with the time after which the next is answered", async () => {
  await using live = await LiveGateway.start({ MESSAGES_PER_SECOND: "5", MESSAGES_BURST: "3" });
  await using bystander = await live.connect();
  await using client = await live.connect();
  for (let i = 0; i < 3; i++) assertEquals((await client.request("ping")).type, "pong");
  const refused = await client.request("ping");
  assert(refused.type === "error");
  const { retry_after_ms: retryAfterMs } = refused.error.details;
  assertEquals(refused.error, {
    code: "RATE_LIMITED",
    message: "more than 5 messages a second",
    details: { retry_after_ms: retryAfterMs },
  });
  assert(typeof retryAfterMs === "number" && retryAfterMs > 0 && retryAfterMs <= 200, `${retryAfterMs}`);
  assertEquals((await bystander.request("ping")).type, "pong");
  await new Promise((resolve) => setTimeout(resolve, retryAfterMs + 1));
  assertEquals((await client.request("ping")).type, "pong");
});

Deno.test("questions about many tasks count as five messages", async () => {
  await using live = await LiveGateway.start({ MESSAGES_PER_SECOND: "1", MESSAGES_BURST: "11" });
  for (const [type, data] of [["get_tasks", {}], ["get_history", { task_id: "job1" }]] as const) {
    await using client = await live.connect();
    const codes: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const answer = await client.request(type, data);
      codes.push(answer.type === "error" ? answer.error.code : answer.type);
    }
    assertEquals(codes[2], "RATE_LIMITED");
    assert(!codes.slice(0, 2).includes("RATE_LIMITED"));
    assertEquals((await client.request("ping")).type, "pong");
  }
});

Deno.test("who goes on above the rate is refused every time, and not closed for a while", async () => {
  await using live = await LiveGateway.start({ MESSAGES_PER_SECOND: "1", MESSAGES_BURST: "20" });
  await using client = await live.connect("/ws?topics=task:status"); // which costs nothing
  await client.next("caught_up");
  for (let i = 0; i < 200; i++) client.send({ type: "ping", id: `p${i}` });
  await client.until((frames) => frames.some(({ id }) => id === "p199"), "the last answer");
  assertEquals(client.of("pong").length, 20);
  assertEquals(client.of("error").filter(({ error }) => error.code === "RATE_LIMITED").length, 180);
  assertEquals(client.isClosed, false);
});

Deno.test("who was refused more than ten times as often as may come at once, within ten seconds, is closed with 4429", async () => {
  await using live = await LiveGateway.start({ MESSAGES_PER_SECOND: "1", MESSAGES_BURST: "2" });
  await using bystander = await live.connect();
  await using client = await live.connect();
  for (let i = 0; i < 200; i++) client.send({ type: "ping", id: `p${i}` });
  assertEquals(await client.ended(), { code: 4429, reason: "rate or connection limit" });
  assertEquals(client.of("pong").length, 2);
  assertEquals(
    client.of("error").map(({ error }) => error.code),
    Array.from({ length: 21 }, () => "RATE_LIMITED"),
  );
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});
