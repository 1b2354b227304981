import { stripVTControlCharacters } from "node:util";
import { assertEquals } from "@std/assert";
import { Screen } from "../../src/demo/screen.ts";

function status(taskId: string, status: string, about: Readonly<Record<string, unknown>> = {}): string {
  const progress = { percentage: 50, current: null, eta_ms: null };
  return JSON.stringify({
    type: "task_status",
    data: { task_id: taskId, status, attempt: 1, progress, ...about },
  });
}

Deno.test("in a terminal every task has one line, however long what it has to say", () => {
  let written = "";
  const screen = new Screen((text) => written += text, 80);
  screen.show(status("one", "running"));
  written = "";
  screen.show(status("two", "failed", { error: { message: "x".repeat(500) } }));
  const lines = written.split("\n").slice(0, -1);
  assertEquals(lines.length, 2);
  assertEquals(lines.every((line) => stripVTControlCharacters(line).length < 80), true);
  assertEquals(written.startsWith("\x1b[1A"), true);
});

Deno.test("elsewhere each frame is a line, and the end of all tasks is known", () => {
  const lines: string[] = [];
  const screen = new Screen((text) => lines.push(text), undefined);
  screen.show(JSON.stringify({ type: "welcome", data: {} }));
  screen.show(status("one", "running"));
  assertEquals([lines.length, screen.allEnded], [1, false]);
  screen.show(status("one", "completed", { result: { rows: 3 } }));
  assertEquals([lines.length, screen.allEnded], [2, true]);
  assertEquals(lines[1]?.endsWith('completed              {"rows":3}\n'), true);
});
