/** A task as the screen shows it. */
type Line = { readonly taskId: string; status: string; percentage: number | null; detail: string };

type Shown = {
  readonly type: string;
  readonly data?: {
    readonly task_id?: string;
    readonly status?: string;
    readonly attempt?: number;
    readonly error?: { readonly message: string } | null;
    readonly result?: unknown;
    readonly progress?: {
      readonly percentage: number | null;
      readonly current: string | null;
      readonly eta_ms: number | null;
    };
  };
};

const BAR = 24;
const CLEAR_LINE = "\x1b[2K";

/** Shows what a watcher is sent: moving bars in a terminal, a line a frame elsewhere. */
export class Screen {
  readonly #write: (text: string) => void;
  readonly #columns: number | undefined;
  readonly #lines = new Map<string, Line>();
  #drawn = 0;

  /** `columns`: how wide the terminal is; undefined where there is none, and so nothing to move. */
  constructor(write: (text: string) => void, columns: number | undefined) {
    this.#write = write;
    this.#columns = columns;
  }

  /** Whether every task that was shown has ended. */
  get allEnded(): boolean {
    return [...this.#lines.values()].every(({ status }) => /^(completed|failed|cancelled)/.test(status));
  }

  /** Takes in one frame as it came. */
  show(text: string): void {
    // Frames are our own gateway's; what is missing is simply not shown.
    const { type, data } = JSON.parse(text) as Shown;
    if ((type !== "task_status" && type !== "task_progress") || data?.task_id === undefined) return;
    const line = this.#lines.get(data.task_id) ??
      { taskId: data.task_id, status: "", percentage: null, detail: "" };
    this.#lines.set(data.task_id, line);
    line.percentage = data.progress?.percentage ?? line.percentage;
    if (type === "task_status") {
      line.status = (data.attempt ?? 1) > 1 ? `${data.status} (attempt ${data.attempt})` : data.status ?? "";
      line.detail = detailOf(data);
    } else {
      line.detail = etaOf(data.progress) ?? line.detail;
    }
    if (this.#columns === undefined) this.#write(`${printLine(line)}\n`);
    else this.#draw(this.#columns);
  }

  /** A line that wrapped would be two to the terminal, and one to us: so none is longer than it is wide. */
  #draw(columns: number): void {
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : "";
    const lines = [...this.#lines.values()].map((line) =>
      `${CLEAR_LINE}${[...printLine(line)].slice(0, columns - 1).join("")}\n`
    );
    this.#write(up + lines.join(""));
    this.#drawn = lines.length;
  }
}

function printLine({ taskId, status, percentage, detail }: Line): string {
  const share = percentage ?? 0;
  const full = Math.round(share / 100 * BAR);
  const bar = "█".repeat(full) + "░".repeat(BAR - full);
  return `${taskId.padEnd(18)} ${bar} ${share.toFixed(0).padStart(3)} %  ${status.padEnd(22)} ${detail}`
    .trimEnd();
}

function detailOf(data: NonNullable<Shown["data"]>): string {
  if (data.error !== undefined && data.error !== null) return data.error.message;
  return data.result === undefined || data.result === null ? "" : JSON.stringify(data.result);
}

function etaOf(progress: NonNullable<Shown["data"]>["progress"]): string | undefined {
  const etaMs = progress?.eta_ms;
  return etaMs === undefined || etaMs === null ? undefined : `${Math.ceil(etaMs / 1000)} s left`;
}
