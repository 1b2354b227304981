import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseRoute, printRoute, type Route } from "../../src/dashboard/route.ts";
import { STATUSES } from "../../src/dashboard/statuses.ts";

const at = fc.option(fc.integer({ min: 0, max: 10 ** 15 - 1 }), { nil: undefined });

const routes: fc.Arbitrary<Route> = fc.oneof(
  fc.constant<Route>({ page: "operator" }),
  fc.constant<Route>({ page: "channels" }),
  fc.stringMatching(/^(data|strategy|log_2):[A-Za-z0-9._-]{1,128}$/).map((topic): Route => ({
    page: "channel",
    topic,
  })),
  fc.tuple(fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/), at).map(([id, at]): Route => ({
    page: "task",
    id,
    ...(at === undefined ? {} : { at }),
  })),
  fc.tuple(
    fc.record({
      status: fc.constantFrom(...STATUSES),
      tag: fc.string({ minLength: 1, unit: "grapheme" }),
      text: fc.string({ minLength: 1, maxLength: 50 }),
      isFolded: fc.constant(true as const),
    }, { requiredKeys: [], noNullPrototype: true }),
    at,
  ).map(([filter, at]): Route => ({ page: "list", filter, ...(at === undefined ? {} : { at }) })),
);

Deno.test("every page can be linked to", () => {
  fc.assert(fc.property(routes, (route) => assertEquals(parseRoute(printRoute(route)), route)));
});

Deno.test("whatever is in an address, it names a page", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const route = parseRoute(`#${text}`);
    assertEquals(parseRoute(printRoute(route)), route);
  }));
  assertEquals(parseRoute("#/task/<img src=x>"), { page: "list", filter: {} });
  for (const wrong of ["task:status", "data:", "data:a b", "DATA:a", "data:a:b", "data"]) {
    assertEquals(parseRoute(`#/channel/${wrong}`), { page: "list", filter: {} }, wrong);
  }
  assertEquals(parseRoute("#/task/a?at=-1"), { page: "task", id: "a" });
  assertEquals(parseRoute("#/?status=exploded&at=1e9"), { page: "list", filter: {} });
  assertEquals(parseRoute(""), { page: "list", filter: {} });
});
