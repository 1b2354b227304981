import { assertEquals } from "@std/assert";
import { parseTraceparent, printTraceparent } from "../../src/telemetry/traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

Deno.test("a traceparent names a span, and prints back", () => {
  const context = parseTraceparent(`00-${TRACE}-${SPAN}-01`);
  assertEquals(context, { traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
  assertEquals(context && printTraceparent(context), `00-${TRACE}-${SPAN}-01`);
});

Deno.test("of a later version of traceparent the part that is known is taken", () => {
  assertEquals(parseTraceparent(`cc-${TRACE}-${SPAN}-03-what-comes`)?.traceFlags, 1);
  assertEquals(parseTraceparent(`01-${TRACE}-${SPAN}-00`)?.traceFlags, 0);
});

Deno.test("what is no traceparent names nothing", () => {
  const bad = [
    "",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${SPAN}`,
    `01-${TRACE}-${SPAN}-01more`,
    ` 00-${TRACE}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01-${"x".repeat(1000)}`,
  ];
  for (const header of bad) assertEquals(parseTraceparent(header), undefined, header);
});
