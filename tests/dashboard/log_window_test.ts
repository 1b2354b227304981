import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { lineIn, type LogLine, pageIn } from "../../src/dashboard/log_line.ts";
import { LogWindow } from "../../src/dashboard/log_window.ts";

const line = (seq: number): LogLine => ({
  seq,
  time: "2026-01-01T00:00:00.000Z",
  level: "info",
  text: `${seq}`,
});
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => line(from + i));
const seqs = (window: LogWindow) => window.lines.map(({ seq }) => seq);

Deno.test("who is at the end of a log is brought what comes, and the oldest lines go", () => {
  const window = new LogWindow(4);
  window.came(line(6), false);
  window.opened({ lines: lines(2, 6), nextBefore: 2, nextAfter: undefined }, true);
  window.came(line(6), false);
  window.came(line(7), false);
  assertEquals([seqs(window), window.before, window.isAtEnd, window.waiting], [[4, 5, 6, 7], 4, true, 0]);
});

Deno.test("who reads further up keeps what is read, is told how much came, and reads on to the end", () => {
  const window = new LogWindow(4);
  window.opened({ lines: lines(7, 10), nextBefore: 7, nextAfter: undefined }, true);
  window.earlier({ lines: lines(4, 6), nextBefore: 4, nextAfter: undefined });
  assertEquals([seqs(window), window.isAtEnd, window.waiting], [[4, 5, 6, 7], false, 3]);
  window.came(line(11), true);
  assertEquals([seqs(window), window.waiting], [[4, 5, 6, 7], 4]);
  window.later({ lines: lines(8, 9), nextBefore: undefined, nextAfter: 9 });
  assertEquals([seqs(window), window.isAtEnd, window.waiting, window.before], [[6, 7, 8, 9], false, 2, 6]);
  window.came(line(12), true);
  window.later({ lines: lines(10, 11), nextBefore: undefined, nextAfter: undefined });
  assertEquals([window.isAtEnd, window.waiting], [false, 1], "12 came meanwhile");
  window.later({ lines: [line(12)], nextBefore: undefined, nextAfter: undefined });
  assertEquals([seqs(window), window.isAtEnd, window.waiting], [[9, 10, 11, 12], true, 0]);
});

/** A log that others write while it is read: what there is up to now, in pages. */
const step = fc.constantFrom("came", "came", "earlier", "later", "end", "hold", "follow");

Deno.test("however a log is read, none is missing between two lines, and the end has the newest", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 3, max: 9 }), (steps, most) => {
    const window = new LogWindow(most);
    let head = 0;
    let isRead = false;
    const back = (before: number) => {
      const found = lines(Math.max(1, before - 3), Math.min(before - 1, head));
      return { lines: found, nextBefore: before - 3 > 1 ? before - 3 : undefined, nextAfter: undefined };
    };
    for (const what of ["end", ...steps]) {
      const last = window.lines.at(-1)?.seq ?? 0;
      if (what === "came") window.came(line(++head), isRead);
      else if (what === "earlier" && window.before !== undefined) window.earlier(back(window.before));
      else if (what === "later") {
        const through = Math.min(last + 3, head);
        const nextAfter = through < head ? through : undefined;
        if (!window.isAtEnd) {
          window.later({ lines: lines(last + 1, through), nextBefore: undefined, nextAfter });
        }
      } else if (what === "end") {
        window.reopen();
        window.opened(back(head + 1), true);
      } else isRead = what === "hold";
      const held = seqs(window);
      const first = held[0] ?? 1;
      assertEquals(held, held.map((_, i) => first + i));
      if (window.isAtEnd) assertEquals(held.at(-1) ?? 0, head);
      assertEquals(held.length <= most, true);
      assertEquals(window.before === undefined, first <= 1);
    }
  }));
});

Deno.test("what is no line is left out, and what only terminals and their users need of a text", () => {
  const time = "2026-01-01T00:00:00.000Z";
  assertEquals(lineIn({ text: "\u001b[31mred\u001b[0m\tx\r\ny\u0007\n" }, 1, time)?.text, "red\tx\ny");
  for (const wrong of [null, "text", { text: 1 }, { text: "a", level: "loud" }, ["a"]]) {
    assertEquals(lineIn(wrong, 1, time), undefined);
  }
  assertEquals(pageIn({ lines: [{ seq: 1, time, text: "a" }, { text: "b" }, 7], next_before_seq: 9 }), {
    lines: [{ seq: 1, time, level: "info", text: "a" }],
    nextBefore: 9,
    nextAfter: undefined,
  });
  assertEquals(pageIn(undefined).lines, []);
});
