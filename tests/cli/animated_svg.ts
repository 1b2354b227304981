import type { Cell, Seen, TerminalSize } from "./terminal.ts";

/** Sizes, px. */
const COLUMN = 8.4;
const ROW = 19;
const EDGE = 14;

/** By the number of the SGR sequence; on the dark ground each is easily read. */
const COLOURS: Readonly<Record<number, string>> = {
  0: "#d7dce2",
  31: "#ff7b72",
  32: "#56d364",
  33: "#e3b341",
  34: "#79c0ff",
  90: "#9aa4af",
};

const STYLE = (name: string) =>
  `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}${name}`;

/**
 * What was seen as one picture that moves by itself, again and again; the last is held for `holdMs`. Who wants nothing
 * to move sees the one at `still`, a share of the whole time. Pure.
 */
export function animatedSvg(
  seen: readonly Seen[],
  { size, holdMs, still, title }: {
    readonly size: TerminalSize;
    readonly holdMs: number;
    readonly still: number;
    readonly title: string;
  },
): string {
  const [width, height] = [Math.ceil(size.columns * COLUMN + 2 * EDGE), size.rows * ROW + 2 * EDGE];
  const startMs = seen[0]?.atMs ?? 0;
  const lengthMs = (seen.at(-1)?.atMs ?? 0) - startMs + holdMs;
  // Each frame lies beside the one before; what is alike in several is there once.
  const ids = new Map<string, string>();
  const frames = seen.map(({ rows }, i) =>
    rows.map((row, y) => {
      const drawn = rowOf(row);
      if (drawn === "") return "";
      const id = ids.get(drawn) ?? `r${ids.size}`;
      ids.set(drawn, id);
      return `<use href="#${id}" x="${i * width + EDGE}" y="${EDGE + y * ROW}"/>`;
    }).join("")
  );
  const steps = seen.map(({ atMs }, i) =>
    `${round((atMs - startMs) / lengthMs * 100)}%{transform:translateX(${-i * width}px)}`
  );
  const stillAt = seen.findLastIndex(({ atMs }) => atMs - startMs <= still * lengthMs);
  const style = STYLE(
    `#film{animation:film ${lengthMs}ms step-end infinite}@keyframes film{${steps.join("")}}` +
      `@media(prefers-reduced-motion:reduce){#film{animation:none;transform:translateX(${
        -stillAt * width
      }px)}}`,
  );
  const defs = [...ids].map(([drawn, id]) => `<g id="${id}">${drawn}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title><style>${style}</style><defs>`,
    ...defs,
    `</defs><rect width="${width}" height="${height}" rx="8" fill="#12161c"/><g id="film">`,
    ...frames,
    "</g></svg>\n",
  ].join("\n");
}

/** A row: bars as rectangles, which meet whatever the font, and words each at its column. */
function rowOf(row: readonly Cell[]): string {
  const drawn: string[] = [];
  for (let start = 0; start < row.length;) {
    const { colour = 0 } = row[start] ?? {};
    let end = start;
    while (end < row.length && row[end]?.colour === colour) end++;
    const text = row.slice(start, end).map(({ character }) => character).join("");
    for (const { 0: run, index } of text.matchAll(/[█-▏░]+|[^\s█-▏░]+(?: [^\s█-▏░]+)*/g)) {
      drawn.push(runOf(run, start + index, COLOURS[colour] ?? ""));
    }
    start = end;
  }
  return drawn.join("");
}

function runOf(run: string, column: number, fill: string): string {
  const x = round(column * COLUMN);
  if (!/^[█-▏░]/.test(run)) return `<text x="${x}" y="14" fill="${fill}">${escaped(run)}</text>`;
  const filled = [...run].reduce((sum, character) => sum + partOf(character), 0);
  const bar = (columns: number, rest: string): string =>
    columns === 0
      ? ""
      : `<rect x="${x}" y="3" width="${round(columns * COLUMN)}" height="13" fill="${fill}"${rest}/>`;
  // What is shaded lies below what is filled, so that a block filled in part leaves no gap.
  return `${filled === run.length ? "" : bar(run.length, ' opacity=".25"')}${bar(filled, "")}`;
}

/** How much of its column a block fills: █ all of it, and each that follows an eighth less. */
function partOf(block: string): number {
  return block === "░" ? 0 : 1 - (block.charCodeAt(0) - "█".charCodeAt(0)) / 8;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
