import { assertEquals } from "@std/assert";
import { parseSamples, sum } from "../../src/dashboard/prometheus_text.ts";

const TEXT = `# HELP taskwire_connections Connections
# TYPE taskwire_connections gauge
taskwire_connections{state="live"} 3
taskwire_connections{state="behind",note="a \\"quoted\\" \\\\ line\\nand more"} 2 1700000000
taskwire_late_events_total 7
taskwire_wait_bucket{le="+Inf"} +Inf
rubbish here
`;

Deno.test("the samples of a text are read with their labels, and lines that are none passed over", () => {
  assertEquals(parseSamples(TEXT), [
    { name: "taskwire_connections", labels: { state: "live" }, value: 3 },
    {
      name: "taskwire_connections",
      labels: { state: "behind", note: 'a "quoted" \\ line\nand more' },
      value: 2,
    },
    { name: "taskwire_late_events_total", labels: {}, value: 7 },
    { name: "taskwire_wait_bucket", labels: { le: "+Inf" }, value: Infinity },
  ]);
});

Deno.test("parts add up, a counter goes by its name, and what is not there is not 0", () => {
  const samples = parseSamples(TEXT);
  assertEquals(sum(samples, "taskwire_connections"), 5);
  assertEquals(sum(samples, "taskwire_connections", { state: "behind" }), 2);
  assertEquals(sum(samples, "taskwire_late_events"), 7);
  assertEquals(sum(samples, "taskwire_unknown"), null);
});
