/** A line of a panel: points of time (ms) and value, in order; a value that is no number leaves a hole. */
export type Line = {
  readonly name: string;
  readonly points: readonly (readonly [atMs: number, value: number])[];
  /** A line that was reckoned, not measured: it is dashed, and nothing is scaled by it. */
  readonly isReckoned?: true;
};

/** Lines of one unit, under each other with others over the same time. */
export type Panel = { readonly title: string; readonly unit: string; readonly lines: readonly Line[] };

/** A span of time that is marked in all panels, from ms to ms. */
export type Mark = { readonly name: string; readonly fromMs: number; readonly toMs: number };

/** What is drawn. */
export type Plot = {
  readonly title: string;
  readonly subtitle: string;
  readonly spanMs: number;
  readonly panels: readonly Panel[];
  readonly marks: readonly Mark[];
};

const WIDTH = 960;
const LEFT = 72;
const RIGHT = 24;
const TOP = 76;
const PANEL = 128;
const BETWEEN = 44;
const BOTTOM = 64;
const TICKS = 4;
const TIME_TICKS = 10;
/** Told apart by most who see colours otherwise (Okabe and Ito 2008). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
const MARK_COLOURS = ["#999999", "#e69f00", "#56b4e9", "#f0e442", "#cc79a7"];
const MINUTE_MS = 60_000;

/** Panels over one axis of time as SVG, readable on any background. */
export function drawn({ title, subtitle, spanMs, panels, marks }: Plot): string {
  const height = TOP + panels.length * (PANEL + BETWEEN) + BOTTOM;
  const across = (atMs: number) => LEFT + atMs / spanMs * (WIDTH - LEFT - RIGHT);
  const colours = new Map([...new Set(marks.map(({ name }) => name))]
    .map((name, i) => [name, MARK_COLOURS[i % MARK_COLOURS.length] ?? ""]));
  const tops = panels.map((_, i) => TOP + i * (PANEL + BETWEEN));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    words(LEFT, 22, title, `font-size="16" font-weight="600"`),
    words(LEFT, 42, subtitle, `fill="#555"`),
    ...panels.flatMap((panel, i) => [
      ...marks.map((mark) =>
        marked(mark, { across, top: tops[i] ?? 0, colour: colours.get(mark.name) ?? "" })
      ),
      ...panelOf(panel, { across, top: tops[i] ?? 0, spanMs, isLast: i === panels.length - 1 }),
    ]),
    ...legendOfMarks(colours, height - 14),
    "</svg>",
    "",
  ].join("\n");
}

type Place = { readonly across: (atMs: number) => number; readonly top: number };

function marked({ name, fromMs, toMs }: Mark, { across, top, colour }: Place & { colour: string }): string {
  const width = Math.max(1.5, across(toMs) - across(fromMs));
  return `<rect x="${px(across(fromMs))}" y="${top}" width="${
    px(width)
  }" height="${PANEL}" fill="${colour}" ` +
    `fill-opacity="0.25"><title>${escaped(name)}</title></rect>`;
}

function panelOf(
  { title, unit, lines }: Panel,
  { across, top, spanMs, isLast }: Place & { readonly spanMs: number; readonly isLast: boolean },
): string[] {
  const values = lines.filter(({ isReckoned }) => isReckoned !== true)
    .flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  const ticks = ticksOf(Math.min(0, ...values), Math.max(1, ...values), TICKS);
  const [low = 0, high = 1] = [ticks[0], ticks.at(-1)];
  const up = (value: number) => top + PANEL - (value - low) / (high - low) * PANEL;
  const bottom = top + PANEL;
  return [
    words(LEFT, top - 8, `${title} [${unit}]`, `font-weight="600"`),
    ...legend(lines, top - 8),
    ...ticks.flatMap((tick) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(up(tick))}" y2="${px(up(tick))}" stroke="#ddd"/>`,
      words(LEFT - 8, up(tick) + 4, tick.toLocaleString("en"), `text-anchor="end"`),
    ]),
    ...ticksOf(0, spanMs / MINUTE_MS, TIME_TICKS).filter((minute) => minute * MINUTE_MS <= spanMs)
      .flatMap((minute) => [
        `<line x1="${px(across(minute * MINUTE_MS))}" x2="${
          px(across(minute * MINUTE_MS))
        }" y1="${bottom}" ` +
        `y2="${bottom + 4}" stroke="#555"/>`,
        words(across(minute * MINUTE_MS), bottom + 17, String(minute), `text-anchor="middle"`),
      ]),
    `<path d="M${LEFT} ${top}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="#555"/>`,
    ...(isLast ? [words((LEFT + WIDTH - RIGHT) / 2, bottom + 34, "minutes", `text-anchor="middle"`)] : []),
    ...lines.map(({ name, points, isReckoned }, i) =>
      `<path d="${pathOf(points, across, up)}" fill="none" stroke="${colourOf(i)}" stroke-width="1.5"` +
      `${isReckoned ? ` stroke-dasharray="6 4"` : ""}><title>${escaped(name)}</title></path>`
    ),
  ];
}

function pathOf(
  points: Line["points"],
  across: (atMs: number) => number,
  up: (value: number) => number,
): string {
  let isDown = false;
  return points.map(([atMs, value]) => {
    const verb = isDown ? "L" : "M";
    isDown = Number.isFinite(value);
    return isDown ? `${verb}${px(across(atMs))} ${px(up(value))}` : "";
  }).join("");
}

/** Names at the right, each beside a bit of its line. */
function legend(lines: readonly Line[], y: number): string[] {
  let x = WIDTH - RIGHT;
  return lines.map(({ name, isReckoned }, i) => ({ name, isReckoned, i })).reverse().flatMap(
    ({ name, isReckoned, i }) => {
      const end = x;
      x -= 36 + 6.4 * name.length;
      return [
        words(end, y, name, `text-anchor="end"`),
        `<line x1="${px(x + 12)}" x2="${px(x + 30)}" y1="${y - 4}" y2="${y - 4}" stroke="${colourOf(i)}" ` +
        `stroke-width="2"${isReckoned ? ` stroke-dasharray="6 4"` : ""}/>`,
      ];
    },
  );
}

function legendOfMarks(colours: ReadonlyMap<string, string>, y: number): string[] {
  let x = LEFT;
  return [...colours].flatMap(([name, colour]) => {
    const at = x;
    x += 34 + 6.4 * name.length;
    return [
      `<rect x="${px(at)}" y="${y - 10}" width="12" height="12" fill="${colour}" fill-opacity="0.4"/>`,
      words(at + 18, y, name, ""),
    ];
  });
}

/** Round numbers from at most `low` to at least `high`, in steps of 1, 2 or 5 times a power of ten, about `count` of them. */
export function ticksOf(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((times) => times * power >= rough * (1 - 1e-9)) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function colourOf(i: number): string {
  return COLOURS[i % COLOURS.length] ?? "#000";
}

function words(x: number, y: number, text: string, attributes: string): string {
  return `<text x="${px(x)}" y="${px(y)}" ${attributes}>${escaped(text)}</text>`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
