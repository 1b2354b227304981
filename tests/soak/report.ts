import { drawn, type Line } from "./plot.ts";
import type { Measure, Sample } from "./sample.ts";
import type { Soaked } from "./soak.ts";

const MB = 1_048_576;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** What came of a soak, in words: a line for each finding. */
export function report({ options, load, findings, warmUpMs }: Soaked): string {
  const { durationMs, log, seed } = options;
  return [
    `${minutes(durationMs)} minutes on ${log}, seed ${seed}: ${load}; judged after ${
      minutes(warmUpMs)
    } minutes`,
    ...findings.map(({ what, isGood }) => `${isGood ? "  ok  " : "  BAD "}${what}`),
  ].join("\n");
}

/** What came of a soak over its time, as SVG. */
export function picture({ options, load, samples, judged, faults, trends, warmUpMs }: Soaked): string {
  const { durationMs, log, seed } = options;
  const line = (name: string, measure: Measure, unit = 1): Line => ({
    name,
    points: samples.map((sample) => [sample.atMs, sample[measure] / unit]),
  });
  const atLowWater = (measure: "heap" | "rss"): Line[] =>
    judged === samples ? [] : [{
      name: "at low water",
      points: judged.map((sample) => [sample.atMs, sample[measure] / MB]),
    }];
  const trend = (name: string, measure: "heap" | "rss"): Line => ({
    name: `${name} ${(trends[measure].perHour / MB).toFixed(2)} ± ${
      (trends[measure].error / MB).toFixed(2)
    } MB/h`,
    points: trendPoints(judged, measure, trends[measure].perHour, warmUpMs),
    isReckoned: true,
  });
  return drawn({
    title: `A gateway on ${log === "nats" ? "NATS" : "the embedded log"} for ${minutes(durationMs)} minutes`,
    subtitle: `${load}; seed ${seed}`,
    spanMs: Math.max(durationMs, samples.at(-1)?.atMs ?? 0),
    marks: [{ name: "warm-up", fromMs: 0, toMs: warmUpMs }, ...faults],
    panels: [
      {
        title: "Resident memory",
        unit: "MB",
        lines: [line("RSS", "rss", MB), ...atLowWater("rss"), trend("trend", "rss")],
      },
      {
        title: "Heap after a collection, and what lies beside it",
        unit: "MB",
        lines: [line("heap", "heap", MB), ...atLowWater("heap"), trend("trend", "heap")],
      },
      { title: "Tasks in memory", unit: "tasks", lines: [line("tasks", "tasks")] },
      {
        title: "Connections, and what is open",
        unit: "count",
        lines: [
          line("handles", "handles"),
          line("connections", "connections"),
          line("timers", "timers"),
          line("threads", "threads"),
        ],
      },
      { title: "Event loop, latest of the last minute or two", unit: "ms", lines: [line("late", "lateMs")] },
      { title: "Behind the log", unit: "events", lines: [line("lag", "lag")] },
    ],
  });
}

/** The two ends of the line that goes through the middle of what it was drawn through. */
function trendPoints(
  samples: readonly Sample[],
  measure: "heap" | "rss",
  perHour: number,
  warmUpMs: number,
): [number, number][] {
  const steady = samples.filter((sample) => sample.atMs >= warmUpMs && Number.isFinite(sample[measure]));
  const mean = (of: (sample: Sample) => number) =>
    steady.reduce((sum, one) => sum + of(one), 0) / steady.length;
  const [atMs, value] = [mean((sample) => sample.atMs), mean((sample) => sample[measure])];
  return [warmUpMs, samples.at(-1)?.atMs ?? warmUpMs]
    .map((endMs) => [endMs, (value + (endMs - atMs) * perHour / HOUR_MS) / MB]);
}

function minutes(ms: number): string {
  return String(Number((ms / MINUTE_MS).toFixed(1)));
}
