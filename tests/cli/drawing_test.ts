import { stripVTControlCharacters } from "node:util";
import { assertEquals } from "@std/assert";
import type { PushedFrame } from "../../src/client/client.ts";
import { lines, type Picture } from "../../src/cli/drawing.ts";
import { Pace } from "../../src/cli/replay.ts";
import { Screen } from "../../src/cli/screen.ts";
import { type ShownTask, toldBy } from "../../src/cli/shown_task.ts";
import { Tally } from "../../src/cli/tally.ts";
import { duration } from "../../src/cli/task_text.ts";
import { fitted, harmless, harmlessJson, padded, widthOf } from "../../src/cli/text_width.ts";
import type { TaskStatusData } from "../../src/protocol/server_frames.ts";
import { NO_PROGRESS, taskNamed } from "../sample_task.ts";

const PROGRESS = { ...NO_PROGRESS, total: 4, completed: 1, percentage: 25, eta_ms: 12_000 };

function task(id: string, status: TaskStatusData["status"], about: Partial<TaskStatusData> = {}): ShownTask {
  const data = taskNamed(id, { status, progress: PROGRESS, ...about });
  return { id, task: data, progress: data.progress };
}

const LIVE = { word: "live", isWell: true };

function drawn(picture: Picture, columns: number, rows = 24): readonly string[] {
  return lines(picture, { size: { columns, rows }, colours: false });
}

Deno.test("a task is a line with a bar, and the last line tells how the connection stands", () => {
  const tasks = [
    task("job1", "running"),
    task("job22", "paused", { progress: { ...PROGRESS, percentage: null, total: null } }),
  ];
  assertEquals(drawn({ tasks, mood: LIVE }, 80), [
    "▶ job1  █████░░░░░░░░░░░░░░░  25 %  running     1/4  12 s left",
    "‖ job22 ░░░░░░░░░░░░░░░░░░░░        paused      1  12 s left",
    "live · 2 under way",
  ]);
});

Deno.test("no line is as wide as the terminal, whatever is in it, and colours take no room", () => {
  const tasks = [
    task("x".repeat(128), "running", { progress: { ...PROGRESS, current: "处理".repeat(100) } }),
    task("e", "retrying", { error: { message: "n\u001b[2Jo\n".repeat(90) } }),
  ];
  for (const columns of [1, 5, 20, 40, 60, 80, 200]) {
    const drawnWith = (colours: boolean) =>
      lines({ tasks, mood: LIVE }, { size: { columns, rows: 24 }, colours });
    const bare = drawnWith(false);
    assertEquals(bare.filter((line) => widthOf(line) >= Math.max(2, columns)), [], `${columns} columns`);
    assertEquals(bare.some((line) => line.includes("\u001b")), false);
    assertEquals(drawnWith(true).map(stripVTControlCharacters), bare);
  }
});

Deno.test("more tasks than rows are counted instead", () => {
  const tasks = Array.from({ length: 50 }, (_, i) => task(`job${i}`, "running"));
  const shown = drawn({ tasks, mood: LIVE }, 80, 10);
  assertEquals([shown.length, shown[7], shown[8]], [9, "  and 43 more", "live · 50 under way"]);
});

Deno.test("a screen draws over what it drew, scrolls what is over, and gives the cursor back once", () => {
  let written = "";
  const screen = new Screen((text) => written += text);
  screen.draw(["a", "b"]);
  screen.draw(["a", "b"]);
  assertEquals(written, "\x1b[?25l\r\x1b[Ja\nb\n");
  written = "";
  screen.draw(["b"], ["a ended"]);
  assertEquals(written, "\x1b[2A\r\x1b[Ja ended\nb\n");
  written = "";
  screen[Symbol.dispose]();
  screen[Symbol.dispose]();
  assertEquals(written, "\x1b[?25h");
});

Deno.test("widths are those of the terminal, and foreign text is only text", () => {
  assertEquals(["abc", "处理", "e\u0301", "🚀", "ｆ"].map(widthOf), [3, 4, 1, 2, 2]);
  assertEquals([fitted("处理数据", 5), fitted("abc", 3), fitted("abcd", 3), fitted("a", 0)], [
    "处理…",
    "abc",
    "ab…",
    "",
  ]);
  assertEquals(padded("处", 4), "处  ");
  assertEquals(harmless("a\r\n\u001b]0;title\u0007b\u202ec"), "a ]0;title bc");
});

Deno.test("JSON that is printed steers no terminal either, and says the same", () => {
  const said = { current: "\u001b[31m\u009b31m\u007f\u202e\u2066\u2028é" };
  const text = harmlessJson(said);
  assertEquals([/[^\x20-\x7eé]/.test(text), JSON.parse(text)], [false, said]);
});

Deno.test("a replay keeps the pace of then times the speed, skips what is longer than wanted, and never goes back", () => {
  const pace = new Pace(10, 500);
  assertEquals([1_000, 2_000, 1_500, 3_000, 60_000].map((timeMs) => pace.dueMs(timeMs)), [
    0,
    100,
    100,
    200,
    700,
  ]);
});

Deno.test("a tally is over when all that was seen has ended, and well when all were completed", () => {
  const tally = new Tally();
  const take = (shown: ShownTask): void => {
    if (shown.task === undefined) throw new TypeError("a task is told whole");
    tally.take({ type: "task_status", id: "status_1", timestamp: 1, data: shown.task });
  };
  assertEquals(tally.isOver, false);
  take(task("a", "running"));
  take(task("b", "completed"));
  assertEquals(tally.isOver, false);
  take(task("a", "completed"));
  assertEquals([tally.isOver, tally.isWell], [true, true]);
  take(task("c", "cancelled"));
  assertEquals([tally.isOver, tally.isWell], [true, false]);
});

Deno.test("progress of a task that was told of keeps what is known of it", () => {
  const frame: PushedFrame = {
    type: "task_progress",
    id: "progress_2",
    timestamp: 2,
    data: { task_id: "a", progress: { ...PROGRESS, completed: 2 } },
  };
  const [known] = toldBy(frame, () => task("a", "running"));
  assertEquals([known?.task?.status, known?.progress?.completed], ["running", 2]);
  const [unknown] = toldBy(frame, () => undefined);
  assertEquals([unknown?.task, unknown?.progress?.completed], [undefined, 2]);
});

Deno.test("durations are told in their largest units", () => {
  const told = [0, 850, 12_400, 60_000, 200_000, 7_500_000, 259_200_000].map(duration);
  assertEquals(told, ["0 ms", "850 ms", "12 s", "1 min", "3 min 20 s", "2 h 5 min", "3 d"]);
});
