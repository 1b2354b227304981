import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientError } from "../../src/client/client.ts";
import { type Request, Requests } from "../../src/client/requests.ts";
import { ManualClock } from "../router/manual_clock.ts";
import { Bench } from "./bench.ts";

const IDS = Array.from({ length: 1_000 }, (_, i) => `t${i}`);

Deno.test("a thousand requests of one turn are all answered, as fast as the gateway takes them", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 256, rate: { perSecond: 50, burst: 100 }, authMs: 10_000 },
  });
  await bench.event("t1", "started");
  const client = bench.connect();
  await bench.pass(100);
  const answers = Promise.all(IDS.map(() => client.getTask("t1")));
  let answered = 0;
  void answers.then(({ length }) => answered = length);
  await bench.pass(1_000);
  let live = false;
  client.subscribe("task:status", () => {}, { onLive: (isLive) => live = isLive });
  await bench.pass(2_000);
  assert(live, "what else is asked is not held up");
  await bench.pass(18_000);
  assertEquals(answered, 1_000);
  const { get_task: asked = 0 } = bench.world.counts.messages;
  assertEquals(asked, 1_000);
  const { RATE_LIMITED: refused = 0 } = bench.world.counts.errors;
  assert(refused < 1_200, `${refused} were too early`);
  client.close();
  assertEquals(bench.world.clock.pending, 0, "no timer is left");
});

Deno.test("a thousand requests of the turn in which a client is made are all answered", async () => {
  const bench = await Bench.start();
  await bench.event("t1", "started");
  const client = bench.connect();
  const answers = Promise.all(IDS.map(() => client.getTask("t1")));
  await bench.pass(1_000);
  assertEquals((await answers).length, 1_000);
  client.close();
});

Deno.test("a thousand requests of one turn outlive a lost connection", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 256, rate: { perSecond: 50, burst: 100 }, authMs: 10_000 },
  });
  await bench.event("t1", "started");
  const client = bench.connect();
  await bench.pass(100);
  const answers = Promise.all(IDS.map(() => client.getTask("t1")));
  await bench.pass(5_000);
  bench.wire.cut();
  await bench.pass(20_000);
  assertEquals((await answers).length, 1_000);
  client.close();
});

/** Requests to a gateway that a test plays. */
function played(): { readonly clock: ManualClock; readonly requests: Requests; readonly sent: Request[] } {
  const clock = new ManualClock();
  const sent: Request[] = [];
  const limits = { timeoutMs: 1_000, maxWaiting: 4 };
  const requests = new Requests(clock, limits, (request) => sent.push(request));
  return { clock, requests, sent };
}

const request = (id: string): Request => ({ type: "get_task", id, data: {} });

Deno.test("of many requests few are under way at a time, and all of them end though the gateway is silent", async () => {
  const { clock, requests, sent } = played();
  requests.up();
  const ends = IDS.map((id) => requests.ask(request(id)).catch((error: ClientError) => error.code));
  assertEquals(sent.length, 64);
  clock.advance(16_000);
  assertEquals(sent.length, 1_000);
  assertEquals(new Set(await Promise.all(ends)), new Set(["TIMEOUT"]));
  assertEquals(clock.pending, 0);
});

Deno.test("a request that is always too early ends in time, and says why", async () => {
  const { clock, requests, sent } = played();
  requests.up();
  const end = assertRejects(() => requests.ask(request("a")), ClientError, "takes no more just now");
  for (let i = 0; i < 20; i++) {
    requests.refused("a", { code: "RATE_LIMITED", message: "", details: { retry_after_ms: 90 } });
    clock.advance(90);
  }
  await end;
  assertEquals(sent.length, 12);
  assertEquals(clock.pending, 0);
});
