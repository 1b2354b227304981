import type { Size } from "./output.ts";
import type { ShownTask } from "./shown_task.ts";
import { nameOf, type ShownValue } from "./shown_value.ts";
import { counts, detail, share, statusWord, timeLeft } from "./task_text.ts";
import { fitted, harmlessJson, padded, widthOf } from "./text_width.ts";

/** How the connection stands, in words for the last line. */
export type Mood = { readonly word: string; readonly isWell: boolean };

/** What is drawn. */
export type Picture = {
  /** Those under way, in the order in which they are shown. */
  readonly tasks: readonly ShownTask[];
  /** The last values of channels, below them. Default: none. */
  readonly values?: readonly ShownValue[];
  /** Undefined when it is over: then nothing is said of the connection. */
  readonly mood: Mood | undefined;
};

type Colour = "red" | "green" | "yellow" | "blue" | "grey";

const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, blue: 34, grey: 90 };

/** A symbol and a colour each, so that neither alone has to tell them apart. */
const LOOKS: Readonly<Record<string, readonly [symbol: string, colour: Colour]>> = {
  pending: ["○", "grey"],
  running: ["▶", "blue"],
  paused: ["‖", "yellow"],
  cancelling: ["◌", "yellow"],
  retrying: ["↻", "yellow"],
  failed: ["✗", "red"],
  cancelled: ["■", "yellow"],
  completed: ["✓", "green"],
};

const UNKNOWN = ["·", "grey"] as const;
const BAR = 20;
const LONGEST_ID = 32;
const LONGEST_NAME = 40;
const VALUE = "◆";

/** How a picture is drawn. */
export type Style = { readonly size: Size; readonly colours: boolean };

/** The lines of a picture: a task or a value each, as many as there are rows for, and how the connection stands. Pure. */
export function lines({ tasks, values = [], mood }: Picture, { size, colours }: Style): readonly string[] {
  // One row for the last line, one for the cursor.
  const room = Math.max(1, size.rows - 2);
  const all = tasks.length + values.length;
  const most = all > room ? room - 1 : room;
  const shown = tasks.slice(0, most);
  const shownValues = values.slice(0, most - shown.length);
  const idWidth = idColumns(shown);
  const nameWidth = Math.min(
    LONGEST_NAME,
    Math.max(0, ...shownValues.map((value) => widthOf(nameOf(value)))),
  );
  const drawn = [
    ...shown.map((task) => taskLine(task, idWidth, { size, colours })),
    ...shownValues.map((value) => valueLine(value, nameWidth, { size, colours })),
  ];
  const hidden = all - shown.length - shownValues.length;
  if (hidden > 0) drawn.push(`  and ${hidden} more`);
  if (mood === undefined) return drawn;
  const counted = [
    ...(tasks.length > 0 || values.length === 0 ? [`${tasks.length} under way`] : []),
    ...(values.length > 0 ? [`${values.length} ${values.length === 1 ? "value" : "values"}`] : []),
  ];
  const foot = fitted([mood.word, ...counted].join(" · "), size.columns - 1);
  return [...drawn, painted(foot, mood.isWell ? "grey" : "yellow", colours)];
}

/** The line of a value of a channel: what it is of, and as much of it as fits. */
function valueLine(value: ShownValue, nameWidth: number, { size, colours }: Style): string {
  const columns = size.columns - 1;
  const head = fitted(`${VALUE} ${padded(nameOf(value), nameWidth)} `, columns);
  const rest = fitted(harmlessJson(value.payload), columns - widthOf(head));
  return `${painted(head.slice(0, VALUE.length), "blue", colours)}${head.slice(VALUE.length)}${rest}`;
}

/** How wide the ids are shown: no wider than they are. */
export function idColumns(tasks: readonly ShownTask[]): number {
  return Math.min(LONGEST_ID, Math.max(0, ...tasks.map(({ id }) => widthOf(id))));
}

/** The line of one task: never as wide as the terminal, which would wrap it. Pure. */
export function taskLine(shown: ShownTask, idWidth: number, { size, colours }: Style): string {
  const [symbol, colour] = LOOKS[shown.task?.status ?? ""] ?? UNKNOWN;
  const rest = [counts(shown), timeLeft(shown), detail(shown)].filter((part) => part !== "").join("  ");
  const head = `${symbol} ${padded(shown.id, idWidth)} `;
  const tail = ` ${share(shown).padStart(5)}  ${padded(statusWord(shown), 10)}  ${rest}`.trimEnd();
  const columns = size.columns - 1;
  const bar = columns >= widthOf(head) + BAR + 18 ? barOf(shown) : "";
  // Colours take no columns: they are put on when the widths are settled.
  const start = fitted(head, columns);
  const end = fitted(tail, columns - widthOf(start) - widthOf(bar));
  return `${painted(start.slice(0, symbol.length), colour, colours)}${start.slice(symbol.length)}` +
    `${painted(bar, colour, colours)}${end}`;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

function barOf({ progress }: ShownTask): string {
  const part = Math.min(100, Math.max(0, progress?.percentage ?? 0)) / 100 * BAR;
  const whole = Math.floor(part);
  const filled = "█".repeat(whole) + (EIGHTHS[Math.floor((part - whole) * 8)] ?? "");
  return filled + "░".repeat(BAR - [...filled].length);
}

function painted(text: string, colour: Colour, colours: boolean): string {
  return colours && text !== "" ? `\x1b[${CODES[colour]}m${text}\x1b[39m` : text;
}
