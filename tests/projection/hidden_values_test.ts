import { assert, assertEquals } from "@std/assert";
import { LiveGateway } from "../transport/live_gateway.ts";
import type { NewEntry, PageQuery } from "../../src/log/event_log.ts";

function written(subject: string, text: string): NewEntry {
  return { subject, body: new TextEncoder().encode(text) };
}

Deno.test("what is no value hides none: a gateway that starts later tells what those tell that were there", async () => {
  await using live = await LiveGateway.start();
  const { pipeline } = live.gateway;
  assertEquals(pipeline?.booted, true);
  const seq = await live.append(
    written("data.quotes.BTC", "1"),
    written("data.quotes.ETH", "2"),
    written("data.quotes", "3"),
    written("data.quotes.BTC", "no JSON"),
    written("data.quotes", "nor this"),
    written("data.nothing.k", "and here is none"),
  );
  await using follower = await live.connect("/ws?topics=task:status");
  while (pipeline?.projection.head !== seq) await follower.request("ping");
  const told = async (): Promise<unknown> => {
    await using client = await live.connect("/ws?topics=data:quotes,data:nothing");
    await client.next("caught_up");
    return client.of("data_update").map(({ data }) => `${data.key} ${data.payload}`).sort();
  };
  const all = ["BTC 1", "ETH 2", "undefined 3"];
  assertEquals(await told(), all);
  await pipeline.projection.boot();
  assertEquals(await told(), all, "by one that has just started");
  const { projection } = pipeline;
  const fromLog = await projection.lastsFromLog("data:quotes");
  assertEquals(
    fromLog.map(({ key, json }) => `${key} ${json}`),
    ["BTC 1", "ETH 2", " 3"],
    "by the log alone",
  );
});

Deno.test("of channels that nobody can ask for nothing is looked up at a start, however many there are", async () => {
  await using live = await LiveGateway.start();
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  pipeline.plugins.add({ name: "log", namespaces: [{ name: "log", conflation: "all", retained: false }] });
  const ids = Array.from({ length: 50 }, (_, i) => i);
  await live.append(
    ...ids.map((i) => written(`data.~log.l${i}`, "no JSON")),
    ...ids.map((i) => written(`data.~gone.g${i}`, "no JSON")),
    written("data.quotes.BTC", "nor this"),
  );
  const { log } = pipeline;
  const read = log.read.bind(log);
  const asked: string[] = [];
  Object.assign(log, {
    read: (query: PageQuery) => {
      asked.push(query.subject ?? "");
      return read(query);
    },
  });
  await pipeline.projection.boot();
  assertEquals(asked.filter((subject) => subject.startsWith("data.")), [
    "data.quotes.BTC",
    "data.quotes.BTC",
  ]);
});
