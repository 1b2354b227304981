import type { ConnectionState, PushedFrame } from "../client/client.ts";
import { idColumns, lines, type Mood, taskLine } from "./drawing.ts";
import type { Output, Size } from "./output.ts";
import { Screen } from "./screen.ts";
import { hasEnded, type ShownTask, toldBy } from "./shown_task.ts";
import { nameOf, type ShownValue, valueIn, valueLine } from "./shown_value.ts";
import { plainLine } from "./task_text.ts";
import { harmlessJson } from "./text_width.ts";

/** Shows frames to whoever reads. Disposing it leaves a terminal as it was found. */
export interface Display extends Disposable {
  /** Shows what a frame tells. `nowMs`: when, where the frame does not say. */
  take(frame: PushedFrame, nowMs: number): void;
  /** Shows how the connection stands. */
  mood(mood: Mood): void;
}

/** The display that fits the output: JSON lines where asked for, a moving picture in a terminal, else plain lines. */
export function displayOf(out: Output, { json = false }: { readonly json?: boolean }): Display {
  if (json) return jsonLines(out);
  return out.size() === undefined ? plainLines(out) : new MovingPicture(out);
}

/** How the connection stands, in words. Pure. */
export function moodOf(state: ConnectionState, isLive: boolean, nowMs: number): Mood {
  switch (state.kind) {
    case "connecting":
      return { word: "connecting", isWell: false };
    case "open":
      return isLive ? { word: "live", isWell: true } : { word: "catching up", isWell: false };
    case "waiting": {
      const again = state.retryAtMs === undefined
        ? ""
        : `, again in ${Math.max(0, Math.ceil((state.retryAtMs - nowMs) / 1_000))} s`;
      return { word: `not connected: ${state.why}${again}`, isWell: false };
    }
    case "closed":
      return { word: `closed: ${state.why}`, isWell: false };
  }
}

function jsonLines(out: Output): Display {
  return {
    take: (frame) => out.write(`${harmlessJson(frame)}\n`),
    mood: complaining(out),
    [Symbol.dispose]: () => {},
  };
}

function plainLines(out: Output): Display {
  return {
    take(frame, nowMs) {
      if (frame.type === "gap") out.complain(`${gapLine(frame)}\n`);
      const value = valueIn(frame);
      if (value !== undefined) out.write(`${valueLine(value, frame.timestamp || nowMs)}\n`);
      for (const shown of toldBy(frame, () => undefined)) {
        out.write(`${plainLine(shown, frame.timestamp || nowMs, frame.type === "task_progress")}\n`);
      }
    },
    mood: complaining(out),
    [Symbol.dispose]: () => {},
  };
}

/** Says once that there is no connection, and once that there is one again. */
function complaining(out: Output): (mood: Mood) => void {
  let isAway = false;
  return ({ word, isWell }) => {
    if (isAway ? !isWell : !word.startsWith("not connected")) return;
    isAway = !isWell;
    out.complain(isAway ? `${word.replace(/, again in.*/, "")}; trying again\n` : "connected again\n");
  };
}

function gapLine({ data }: Extract<PushedFrame, { type: "gap" }>): string {
  const { missed_from: from, missed_to: to, reason } = data;
  return reason === "epoch"
    ? "gap: the log is another one now; the present state follows"
    : `gap: events ${from} to ${to} are no longer kept; the present state follows`;
}

/** Between two drawings, ms: as much as an eye wants. */
const DRAW_MS = 100;
/** Tasks under way that are remembered; then the one that was silent longest is forgotten until it is told of again. */
const MAX_TASKS = 20_000;
/** Values of channels that are remembered; then the one that came first goes. */
const MAX_VALUES = 2_000;

class MovingPicture implements Display {
  readonly #out: Output;
  readonly #screen: Screen;
  readonly #tasks = new Map<string, ShownTask>();
  readonly #values = new Map<string, ShownValue>();
  readonly #over: string[] = [];
  #mood: Mood | undefined = { word: "connecting", isWell: false };
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(out: Output) {
    this.#out = out;
    this.#screen = new Screen((text) => out.write(text));
  }

  take(frame: PushedFrame): void {
    if (frame.type === "gap") this.#over.push(gapLine(frame));
    if (frame.type === "task_list" && "removed" in frame.data) {
      for (const id of frame.data.removed) this.#tasks.delete(id);
    }
    for (const shown of toldBy(frame, (id) => this.#tasks.get(id))) this.#put(shown);
    const value = valueIn(frame);
    if (value !== undefined) this.#putValue(value);
    this.#drawSoon();
  }

  mood(mood: Mood): void {
    this.#mood = mood;
    this.#drawSoon();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#mood = undefined;
    this.#draw();
    this.#screen[Symbol.dispose]();
  }

  #put(shown: ShownTask): void {
    if (hasEnded(shown)) {
      this.#tasks.delete(shown.id);
      this.#over.push(taskLine(shown, idColumns([shown]), this.#style()));
      return;
    }
    this.#tasks.set(shown.id, shown);
    const [oldest] = this.#tasks.keys();
    if (this.#tasks.size > MAX_TASKS && oldest !== undefined) this.#tasks.delete(oldest);
  }

  /** Where it was before, so that it is found again. */
  #putValue(value: ShownValue): void {
    this.#values.set(nameOf(value), value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > MAX_VALUES && oldest !== undefined) this.#values.delete(oldest);
  }

  #style(): { readonly size: Size; readonly colours: boolean } {
    return { size: this.#out.size() ?? { columns: 80, rows: 24 }, colours: this.#out.colours };
  }

  #drawSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, DRAW_MS);
  }

  #draw(): void {
    const values = [...this.#values.values()];
    const picture = { tasks: [...this.#tasks.values()], values, mood: this.#mood };
    this.#screen.draw(lines(picture, this.#style()), this.#over.splice(0));
  }
}
