import { assert, assertEquals } from "@std/assert";
import { type PastTask, Scans } from "../../src/projection/scans.ts";

const KNOWN: PastTask = { state: undefined, whole: true };

function tasks(...ids: readonly string[]): Map<string, PastTask> {
  return new Map(ids.map((id) => [id, KNOWN]));
}

Deno.test("a replay goes on with the tasks that it had met, and whoever takes them has them alone", () => {
  const scans = new Scans();
  scans.put("a", 5, tasks("one", "two"));
  assertEquals([...scans.take("a", 5).keys()], ["one", "two"]);
  assertEquals([scans.take("a", 5).size, scans.take("a", 6).size, scans.take("b", 5).size], [0, 0, 0]);
});

Deno.test("replays that have met nothing are not remembered, however many there are", () => {
  const scans = new Scans();
  for (let at = 0; at < 1_000; at++) scans.put("a", at, tasks());
  assertEquals(scans.size, 0);
});

Deno.test("the tasks that a replay is named by count too: long names of replays leave room for fewer", () => {
  const scans = new Scans();
  const scope = "x".repeat(33_000);
  for (let at = 0; at < 2_000; at++) scans.put(scope, at, tasks("one"));
  assert(scans.size > 500 && scans.size < 1_000, `${scans.size} are remembered`);
  assertEquals(scans.take(scope, 1_999).size, 1, "the newest are those");
});

Deno.test("of a replay that has met very many the last met are kept", () => {
  const scans = new Scans();
  scans.put("a", 1, tasks(...Array.from({ length: 60_000 }, (_, i) => `t${i}`)));
  const kept = [...scans.take("a", 1).keys()];
  assert(kept.length < 60_000, "some were forgotten");
  assertEquals(kept.at(-1), "t59999");
});

Deno.test("a replay that had come no further than what retention took is forgotten: what it met is of no use", () => {
  const scans = new Scans();
  scans.put("a", 4, tasks("one"));
  scans.put("a", 5, tasks("one"));
  scans.expire(6);
  assertEquals([scans.take("a", 4).size, scans.take("a", 5).size], [0, 1]);
});
