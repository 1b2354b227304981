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
  const [first] = judged.filter(({ atMs }) => atMs >= warmUpMs);
  const growth = (name: string, measure: "heap" | "rss"): Line[] => {
    const { perHour, error } = trends[measure];
    const grown = ([atMs, bytes]: readonly [number, number]) =>
      [atMs, (bytes - (first?.[measure] ?? 0)) / MB] as const;
    return [
      { name, points: judged.map((sample) => grown([sample.atMs, sample[measure]])) },
      {
        name: `${(perHour / MB).toFixed(2)} ± ${(error / MB).toFixed(2)} MB/h`,
        points: trendPoints(judged, measure, perHour, warmUpMs).map(grown),
        isReckoned: true,
      },
    ];
  };
  return drawn({
    title: `A gateway on ${log === "nats" ? "NATS" : "the embedded log"} for ${minutes(durationMs)} minutes`,
    subtitle: `${load}; seed ${seed}`,
    spanMs: Math.max(durationMs, samples.at(-1)?.atMs ?? 0),
    marks: [{ name: "warm-up", fromMs: 0, toMs: warmUpMs }, ...faults],
    panels: [
      {
        title: "Memory: resident, and of it the heap after a collection",
        unit: "MB",
        lines: [line("resident", "rss", MB), line("heap", "heap", MB)],
      },
      {
        title: judged === samples ? "Growth since the warm-up" : "Growth since the warm-up, at low water",
        unit: "MB",
        lines: [...growth("resident", "rss"), ...growth("heap", "heap")],
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
      { title: "Behind another reader of the log", unit: "events", lines: [line("lag", "lag")] },
    ],
  });
}

/** The two ends of the line, which goes through the middle of what it was drawn through; bytes. */
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
    .map((endMs) => [endMs, value + (endMs - atMs) * perHour / HOUR_MS]);
}

function minutes(ms: number): string {
  return String(Number((ms / MINUTE_MS).toFixed(1)));
}
