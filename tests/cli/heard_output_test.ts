import { assertEquals } from "@std/assert";
import { HeardOutput } from "../../src/cli/heard_output.ts";
import { cleaned, progressIn, type SaidProgress } from "../../src/cli/output_progress.ts";
import { ManualClock } from "../worker/manual_clock.ts";

/** A program that is listened to, and what it said as `1/3` or `45%`. */
class Heard {
  readonly said: string[] = [];
  readonly #clock = new ManualClock();
  readonly #heard = new HeardOutput(this.#clock, (said) => this.said.push(shown(said)));

  /** It writes each of these, and after each is silent for `silentMs`. */
  write(texts: readonly (string | Uint8Array)[], silentMs = 0): this {
    for (const text of texts) {
      this.#heard.take(typeof text === "string" ? new TextEncoder().encode(text) : text);
      this.#clock.advanceSync(silentMs);
    }
    return this;
  }

  end(): readonly string[] {
    this.#heard.end();
    assertEquals(this.#clock.pending, 0);
    return this.said;
  }
}

function shown(said: SaidProgress): string {
  const number = "total" in said ? `${said.completed}/${said.total}` : `${said.percentage}%`;
  return `${number} ${said.current}`.trimEnd();
}

Deno.test("progress is found in a text that holds n/m or n%, and nowhere else; its words do not repeat it", () => {
  const found: readonly (readonly [string, string | undefined])[] = [
    ["1/3", "1/3"],
    ["5/30 5.csv", "5/30 5.csv"],
    ["[ 12 / 40 ] Compiling foo", "12/40 Compiling foo"],
    ["(2/5): linking", "2/5 linking"],
    ["\u001b[32mStep 2/5\u001b[0m : 99%", "2/5 Step : 99%"],
    ["\u001b]0;building 7/9\u0007 1/3", "1/3"],
    ["\u001b]8;;http://x/1/3 4\u001b\\link\u001b]8;;\u001b\\ 2/3", "2/3 link"],
    ["\u001b(B\u001b[m3/4", "3/4"],
    ["45%", "45%"],
    ["[=====>    ]  62.5 %", "62.5%"],
    ["downloading… 100% done", "100% downloading… done"],
    ["10% 20% 30%", "30%"],
    ["0%...10%...20%", "20%"],
    ["1/10\b\b\b\b2/10", "2/10"],
    ["12% done, 88% left", "12% done, 88% left"],
    ["tests 3/10 passed, 1/10 failed", "3/10 tests passed, 1/10 failed"],
    ["5/3", undefined],
    ["0/0", undefined],
    ["2024/01/02 started", undefined],
    ["src/1/2.ts", undefined],
    ["and/or", undefined],
    ["v1.2/3.4", undefined],
    ["grew by 250%", undefined],
    ["nothing", undefined],
  ];
  for (const [text, expected] of found) {
    const progress = progressIn(cleaned(text).clean);
    assertEquals(progress === undefined ? undefined : shown(progress.said), expected, text);
  }
});

Deno.test("a line is whole whatever pieces it comes in, and a carriage return ends one", () => {
  const bytes = new TextEncoder().encode("1/3 处\r2/3\n\u001b[3");
  assertEquals(new Heard().write([...bytes].map((byte) => new Uint8Array([byte]))).write(["2m3/3"]).end(), [
    "1/3 处",
    "2/3",
    "3/3",
  ]);
});

Deno.test("of many lines at once the last that says something counts", () => {
  assertEquals(new Heard().write(["1/3\n2/3 b\nc\n", "and/or\n"]).end(), ["2/3 b"]);
});

Deno.test("a line without an end is understood as it grows, each number when it is whole", () => {
  assertEquals(new Heard().write(["10% ", "20% ", "30%"], 200).end(), ["10%", "20%", "30%"]);
  assertEquals(new Heard().write(["\r1/4", "\r2/4", "\r3/4"], 300).end(), ["1/4", "2/4", "3/4"]);
  assertEquals(new Heard().write(["1/1", "0 files", ", 2/1", "0"], 50).write([" files"], 300).end(), [
    "1/10 files",
    "2/10 files, files",
  ]);
  assertEquals(new Heard().write(["step 1/3 step 2", "/3 step 3/3"], 300).end(), [
    "1/3 step step",
    "2/3 step step",
    "3/3 step",
  ]);
  // What comes so fast that there is no silence is heard as well.
  const fast = new Heard().write(Array.from({ length: 100 }, (_, i) => `${i}% `), 10).end();
  assertEquals(fast.length > 5 && fast.length < 15, true, fast.join());
});

Deno.test("what comes later in a line counts only if it is of the same kind", () => {
  assertEquals(new Heard().write(["[2/5] suite ", "12/12 passed\n", "[3/5] other\n"], 300).end(), [
    "2/5 suite",
    "3/5 other",
  ]);
  assertEquals(new Heard().write(["[2/5] ", "45%\n"], 300).end(), ["2/5"]);
});

Deno.test("of a line that never ends a part is kept, and its end is heard", () => {
  const endless = Array.from({ length: 200 }, () => "x ".repeat(500));
  assertEquals(new Heard().write(["1/9 ", ...endless]).end(), []);
  assertEquals(new Heard().write([...endless, "\b7/9 "]).end()[0]?.slice(0, 7), "7/9 x x");
  const numbers = new Heard().write([`${"12/99 ".repeat(50_000)}13/99`], 300);
  assertEquals(numbers.end(), ["12/99", "13/99"]);
});
