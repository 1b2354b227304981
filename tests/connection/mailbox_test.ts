import { assertEquals, assertThrows } from "@std/assert";
import { Mailbox } from "../../src/connection/mailbox.ts";

Deno.test("a message that a turn posts waits for that turn's end", () => {
  const log: string[] = [];
  const mailbox: Mailbox<{ n: number }> = new Mailbox(10, ({ n }) => {
    log.push(`begin ${n}`);
    if (n === 1) {
      mailbox.post({ n: 2 });
      mailbox.post({ n: 3 });
      assertEquals(mailbox.depth, 2);
    }
    if (n === 2) mailbox.post({ n: 4 });
    log.push(`end ${n}`);
  });
  mailbox.post({ n: 1 });
  assertEquals(log, ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3", "begin 4", "end 4"]);
  assertEquals(mailbox.depth, 0);
});

Deno.test("a full mailbox refuses, and takes again when there is room", () => {
  const seen: number[] = [];
  const refused: boolean[] = [];
  const mailbox: Mailbox<{ n: number }> = new Mailbox(2, ({ n }) => {
    seen.push(n);
    if (n === 1) refused.push(mailbox.post({ n: 2 }), mailbox.post({ n: 3 }), mailbox.post({ n: 4 }));
    if (n === 3) refused.push(mailbox.post({ n: 5 }));
  });
  mailbox.post({ n: 1 });
  assertEquals([seen, refused], [[1, 2, 3, 5], [true, true, false, true]]);
});

Deno.test("a turn that throws does not leave the mailbox deaf", () => {
  const seen: string[] = [];
  const mailbox: Mailbox<{ text: string }> = new Mailbox(10, ({ text }) => {
    seen.push(text);
    if (text === "bad") throw new TypeError("bad");
  });
  assertThrows(() => mailbox.post({ text: "bad" }), TypeError);
  mailbox.post({ text: "good" });
  assertEquals(seen, ["bad", "good"]);
});
