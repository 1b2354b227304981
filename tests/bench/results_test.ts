import { assertEquals, assertThrows } from "@std/assert";
import { document, renewed, type Result } from "./results.ts";
import type { Scenario } from "./scenario.ts";

function result(name: string, ...ours: string[]): Result {
  const scenario: Scenario = {
    name,
    title: `of ${name}`,
    about: `How ${name} is run.`,
    contenders: {},
    rows: () => [],
  };
  const row = { peers: "", floor: "", ratio: "", target: "", met: undefined };
  return { scenario, rows: ours.map((each, i) => ({ ...row, what: `what ${i}`, ours: each })) };
}

Deno.test("scenarios that are measured anew take the place of their rows, whatever else is written", () => {
  const machine = ["a machine", "yesterday"];
  const before = document([result("A", "1", "2"), result("B", "failed"), result("C", "5")], machine, 5);
  const now = [result("B", "3", "4"), result("C", "6", "7")];
  const after = document(
    [result("A", "1", "2"), ...now],
    [...machine, "B, C: in a run of their own, today"],
    5,
  );
  assertEquals(renewed(before, now, "today"), after);
  assertThrows(() => renewed(before, [result("D", "1")], "today"), Error, "RESULTS.md has no row of D of D");
});
