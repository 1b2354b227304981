import type { Row, Scenario } from "./scenario.ts";

/** A scenario and what it came to. */
export type Result = { readonly scenario: Scenario; readonly rows: readonly Row[] };

const COLUMNS = ["scenario", "measured", "ours", "peers", "floor", "ratio", "target", "met"] as const;

function cellsOf({ scenario, rows }: Result): string[][] {
  return rows.map((row, i) => [
    i === 0 ? `${scenario.name} ${scenario.title}` : "",
    row.what,
    row.ours,
    row.peers,
    row.floor,
    row.ratio,
    row.target,
    row.met === undefined ? "" : row.met ? "yes" : "**no**",
  ]);
}

/** A table of Markdown, padded so that it reads as it is. Pure. */
export function table(results: readonly Result[]): string {
  return tableOf(results.flatMap(cellsOf));
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const lines = [[...COLUMNS], ...rows];
  const widths = COLUMNS.map((_, i) => Math.max(3, ...lines.map((cells) => cells[i]?.length ?? 0)));
  const shown = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const [head = [], ...rest] = lines;
  return [shown(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rest.map(shown)]
    .join("\n");
}

/**
 * `RESULTS.md` with these scenarios' rows in the place of those that it had, and `when` they were measured. Throws where it has no
 * such rows. Pure.
 */
export function renewed(before: string, results: readonly Result[], when: string): string {
  const lines = before.split("\n");
  const [first, last] = [
    lines.findIndex((line) => line.startsWith("|")),
    lines.findLastIndex((line) => line.startsWith("|")),
  ];
  const rows = lines.slice(first + 2, last + 1).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const renewedRows = results.reduce((all, result) => {
    const cells = cellsOf(result);
    const from = all.findIndex(([scenario]) => scenario === cells[0]?.[0]);
    if (from < 0) throw new Error(`RESULTS.md has no row of ${cells[0]?.[0]}`);
    const length = all.slice(from + 1).findIndex(([scenario]) => scenario !== "");
    return [...all.slice(0, from), ...cells, ...(length < 0 ? [] : all.slice(from + 1 + length))];
  }, rows);
  const names = results.map(({ scenario }) => scenario.name).join(", ");
  return [
    ...lines.slice(0, first - 1),
    `- ${names}: in a run of their own, ${when}`,
    "",
    tableOf(renewedRows),
    ...lines.slice(last + 1),
  ].join("\n");
}

/** The whole of `RESULTS.md`. Pure. */
export function document(
  results: readonly Result[],
  machine: readonly string[],
  alternations: number,
): string {
  const about = results.map(({ scenario }) => `- **${scenario.name}** ${scenario.about}`);
  return `# Results of \`deno task bench\`

Written by the command itself; every number was measured in that run. The gateway, a peer or the floor has core 0 to
itself; worker, receiver and NATS server share core 1. Contenders take turns, ${alternations} times: shown are medians,
ratios are medians of the ratios within one turn. "Floor" is what the machine allows: a bare loop.

${machine.map((line) => `- ${line}`).join("\n")}

${table(results)}

## How each is run

${about.join("\n")}
`;
}
