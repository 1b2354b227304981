import { assert, assertEquals, assertThrows } from "@std/assert";
import { Screen } from "../../src/cli/screen.ts";
import { animatedSvg } from "./animated_svg.ts";
import { paced, type Seen, seenOf } from "./terminal.ts";

const SIZE = { columns: 10, rows: 4 };

function textOf({ rows }: Seen): string[] {
  return rows.map((row) => row.map(({ character }) => character).join(""));
}

function shown(...texts: readonly string[]): string[][] {
  return seenOf(texts.map((text, atMs) => ({ atMs, text })), SIZE).map(textOf);
}

Deno.test("what the screen draws again is seen in its place, and what is over stays above it", () => {
  const written: string[] = [];
  // A terminal turns each line end into both characters.
  const screen = new Screen((text) => written.push(text.replaceAll("\n", "\r\n")));
  screen.draw(["a 1", "b 1", "foot"]);
  screen.draw(["b 2", "foot"], ["a done"]);
  screen[Symbol.dispose]();
  assertEquals(shown(...written), [
    ["a 1", "b 1", "foot", ""],
    ["a done", "b 2", "foot", ""],
    ["a done", "b 2", "foot", ""],
  ]);
});

Deno.test("rows that do not fit scroll away, and a long one goes on in the next", () => {
  assertEquals(shown("1\r\n2\r\n3\r\n4\r\n5"), [["2", "3", "4", "5"]]);
  assertEquals(shown("0123456789ab"), [["0123456789", "ab"]]);
});

Deno.test("a sequence in two pieces is one, and one that is unknown is refused", () => {
  assertEquals(shown("old\r\x1b", "[", "Jnew").at(-1), ["new"]);
  assertThrows(() => shown("\x1b[2K"), Error, "unknown sequence");
  assertThrows(() => shown("\x1bc"), Error, "unknown character");
});

Deno.test("a colour lasts until it is taken back", () => {
  const [seen] = seenOf([{ atMs: 0, text: "\x1b[31mx\x1b[39my\x1b[32mz\x1b[0m!" }], SIZE);
  assertEquals(seen?.rows[0]?.map(({ colour }) => colour), [31, 0, 32, 0]);
});

Deno.test("of a step the last is kept, and a long silence is cut", () => {
  const seen = [100, 150, 290, 310, 9_310].map((atMs) => ({ atMs, rows: [] }));
  assertEquals(paced(seen, 100, 1_000).map(({ atMs }) => atMs), [0, 140, 160, 1_160]);
});

Deno.test("the picture holds each row once, its text escaped, bars as rectangles, and no script", () => {
  const seen = seenOf([{ atMs: 0, text: "a<b █▌░\r\n" }, { atMs: 500, text: "c" }], SIZE);
  const svg = animatedSvg(seen, { size: SIZE, holdMs: 500, still: 0, title: "T&T" });
  assertEquals(svg.match(/a&lt;b/g)?.length, 1);
  assertEquals(svg.match(/<use /g)?.length, 3);
  assert(svg.includes('width="12.6"'), svg);
  assert(svg.includes("50%{transform"), svg);
  assert(svg.includes("<title>T&amp;T</title>") && !/[▌█]/.test(svg) && !svg.includes("<script"), svg);
});
