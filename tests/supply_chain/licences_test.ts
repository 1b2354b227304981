import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BUNDLES, PUBLIC } from "../../deploy/bundle.ts";
import { type Licensed, licensed, LIST, printed, refused } from "../../deploy/licences.ts";
import { keyOf, licenceText, packagesOf } from "../../deploy/packages.ts";

const rows = await licensed();

Deno.test("the licence list is what the lock file and the packages say (deno task licences)", async () => {
  assert(
    await Deno.readTextFile(LIST) === printed(rows),
    "deploy/licences.md is not what deno.lock and the packages say: run deno task licences, and commit it",
  );
});

Deno.test("every package has a licence that was agreed to", () => {
  assertEquals(refused(rows), []);
});

Deno.test("a licence that nobody has agreed to is refused, and one for tests alone where more than tests runs", () => {
  const row = (licence: string, use: Licensed["use"]): Licensed => ({
    name: "a",
    version: "1.0.0",
    licence,
    use,
  });
  const wrong = [
    row("AGPL-3.0-only", "gateway"),
    row("GPL-3.0", "tests"),
    row("UNLICENSED", "tools"),
    row("SEE LICENSE IN LICENSE", "tests"),
    row("MPL-2.0", "gateway"),
    row("MPL-2.0", "browsers"),
  ];
  assertEquals(refused([...wrong, row("MIT", "gateway"), row("MPL-2.0", "tests")]), wrong);
});

Deno.test("of each use there are the packages that are known to be", () => {
  const used = Object.groupBy(rows, ({ use }) => use);
  const names = (use: Licensed["use"]): string[] => (used[use] ?? []).map(({ name }) => name);
  assertEquals(names("browsers"), ["preact"]);
  for (const name of ["hono", "jose", "nats.ws", "nkeys.js", "valibot", "ws"]) {
    assert(names("gateway").includes(name), name);
  }
  assertEquals(names("tools"), ["commander"]);
  for (const name of ["axe-core", "fast-check", "@types/ws"]) assert(names("tests").includes(name), name);
});

Deno.test("what browsers load begins with the licence of every package that is in it", async () => {
  for (const { entry, name } of BUNDLES) {
    let text = await Deno.readTextFile(new URL(`${name}.js`, PUBLIC));
    for (const bundled of await packagesOf(entry)) {
      const end = text.indexOf("*/\n") + 3;
      const notice = text.slice(0, end);
      assertStringIncludes(notice, `/*! ${keyOf(bundled)}\n`);
      assertStringIncludes(notice, (await licenceText(bundled)).trim());
      text = text.slice(end);
    }
    assert(!text.startsWith("/*"), `${name}.js has a notice of more than is in it`);
  }
});
