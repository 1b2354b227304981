import { assertEquals } from "@std/assert";
import { NatsScanner } from "./nats_scanner.ts";

const STREAM = new TextEncoder().encode(
  'INFO {"version":"2.9.10"}\r\nPING\r\nMSG a.b 1 5\r\nhello\r\nMSG a.b 1 reply.to 2\r\n\r\n\r\n' +
    "HMSG a.b 1 12 17\r\nNATS/1.0\r\n\r\nworld\r\nHMSG a.b 1 12 12\r\nNATS/1.0\r\n\r\n\r\n" +
    "-ERR 'Slow Consumer'\r\nMSG a 2 0\r\n\r\nMSG a 2 1\r\nx\r\n",
);

for (const cut of [1, 2, 5, 64, STREAM.length]) {
  Deno.test(`what a NATS server says is understood when it comes ${cut} bytes at a time`, () => {
    const taken: string[] = [];
    const scanner = new NatsScanner((bytes, start, end) => {
      taken.push(new TextDecoder().decode(bytes.subarray(start, end)));
    });
    for (let at = 0; at < STREAM.length; at += cut) {
      scanner.feed(STREAM, at, Math.min(STREAM.length, at + cut));
    }
    assertEquals(
      { messages: scanner.messages, pings: scanner.pings, errors: scanner.errors, taken },
      { messages: 4, pings: 1, errors: ["-ERR 'Slow Consumer'"], taken: ["hello", "\r\n", "world", "x"] },
    );
  });
}
