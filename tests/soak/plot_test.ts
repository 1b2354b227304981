import { assert, assertEquals } from "@std/assert";
import { drawn, ticksOf } from "./plot.ts";

Deno.test("an axis has round numbers that hold all there is", () => {
  assertEquals(ticksOf(0, 354.2, 4), [0, 100, 200, 300, 400]);
  assertEquals(ticksOf(0, 30, 10), [0, 5, 10, 15, 20, 25, 30]);
  assertEquals(ticksOf(0, 0.3, 4), [0, 0.1, 0.2, 0.3]);
  assertEquals(ticksOf(-3, 7, 4), [-5, 0, 5, 10]);
});

Deno.test("a plot has the names, units and times of what is in it, a hole where nothing was seen, and nothing that breaks it", () => {
  const svg = drawn({
    title: `30 minutes, "A" & <B>`,
    subtitle: "seed 1",
    spanMs: 120_000,
    marks: [{ name: "NATS killed", fromMs: 30_000, toMs: 31_000 }],
    panels: [{
      title: "Memory",
      unit: "MB",
      lines: [
        { name: "heap", points: [[0, 10], [60_000, NaN], [90_000, 20], [120_000, 15]] },
        { name: "trend", points: [[0, 10], [120_000, 12]], isReckoned: true },
      ],
    }],
  });
  for (
    const text of [
      "30 minutes, &quot;A&quot; &amp; &lt;B>",
      "Memory [MB]",
      ">heap<",
      ">NATS killed<",
      ">minutes<",
      ">2<",
    ]
  ) {
    assert(svg.includes(text), text);
  }
  assert(!svg.includes("NaN"));
  assertEquals(svg.match(/<path d="(M[^"]*)" fill="none" stroke="#0072b2"/)?.[1], "M72 140M720 76L936 108");
  // Every element that is opened is closed.
  const open = [...svg.matchAll(/<([a-z]+)(?: [^>]*[^/])?>/g)].map(([, name]) => name).sort();
  assertEquals(open, [...svg.matchAll(/<\/([a-z]+)>/g)].map(([, name]) => name).sort());
});
