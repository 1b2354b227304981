import { assertEquals, assertMatch } from "@std/assert";
import { parseUpdate } from "../../src/channel/channel_update.ts";
import { CHANNELS } from "../../src/channel/built_in.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";

function read(subject: string): unknown {
  const parsed = parseUpdate(
    { seq: 1, time: 0, subject, body: new TextEncoder().encode("7") },
    new Namespaces(CHANNELS),
    { isNew: true },
  );
  return "update" in parsed ? `${parsed.update.topic} ${parsed.update.key}` : parsed.rejected;
}

Deno.test("a value lies under one subject: other spellings of it are told how it is written", () => {
  assertEquals(read("data.quotes.BTC%2FUSD"), "data:quotes BTC/USD");
  assertEquals(read("data.quotes.%F0%9F%98%80"), "data:quotes 😀");
  assertEquals(read("data.quotes.%42TC"), "subject: must be written data.quotes.BTC");
  assertEquals(read("data.quotes.BTC%2fUSD"), "subject: must be written data.quotes.BTC%2FUSD");
  assertEquals(read("data.quotes.語"), "subject: must be written data.quotes.%E8%AA%9E");
  assertEquals(read("strategy.s%31"), "subject: must be written strategy.s1");
  assertMatch(String(read("data.quotes.😀%41")), /^subject: must be written /);
});
