import { assertEquals } from "@std/assert";

const TEXTS = ["README.md", "src/protocol/PROTOCOL.md", "src/cli/token.ts", "src/settings/auth_tokens.ts"];

/** Patterns that go on amid a name, and so name others' too. */
const OPEN_ENDED = /(?:task:(?:id|tag)|data|strategy):[^\s*`,+"]*[\p{L}\p{N}]\*/gu;

Deno.test("no pattern that is recommended opens what others have whose names begin alike", async () => {
  const root = new URL("../../", import.meta.url);
  const open: string[] = [];
  for (const path of TEXTS) {
    for (const line of (await Deno.readTextFile(new URL(path, root))).split("\n")) {
      // Where it is warned of, one has to be shown.
      if (!line.includes("user-420")) open.push(...line.match(OPEN_ENDED) ?? []);
    }
  }
  assertEquals(open, []);
});
