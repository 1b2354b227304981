import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { largeJson } from "../../src/http/large_json.ts";

Deno.test("JSON made in pieces is what it would be made at once", async () => {
  const list = fc.array(fc.jsonValue(), { maxLength: 400, size: "max", depthIdentifier: "list" });
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.oneof(list, fc.jsonValue())), async (object) => {
      assertEquals(await largeJson(object), JSON.stringify(object));
    }),
    { numRuns: 50 },
  );
});

Deno.test("members that are undefined are left out, also of lists that are long", async () => {
  const object = {
    none: undefined,
    tasks: Array.from({ length: 1_000 }, (_, i) => ({ i, none: undefined })),
  };
  assertEquals(await largeJson(object), JSON.stringify(object));
});
