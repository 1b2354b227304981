import type { Command } from "commander";
import type { At, TaskStatusData } from "../client/client.ts";
import { at, taskId } from "./arguments.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions, withClient } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { shownTask } from "./shown_task.ts";
import { counts, duration, share, statusWord, timeLeft } from "./task_text.ts";
import { harmless, harmlessJson } from "./text_width.ts";
import type { World } from "./world.ts";

type TaskOptions = GatewayOptions & { readonly at?: At };

/** `task <id>`. */
export function taskCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("task"))
    .description("Show all of one task; exit code 1 where there is none")
    .argument("<id>", "the task's id", taskId)
    .option("--at <point>", "as it was at a position of the stream, or at a time (RFC 3339)", at)
    .action(async (id: string, options: TaskOptions) => {
      const past = options.at === undefined ? {} : { at: options.at };
      const task = await withClient(gatewayOf(options, world.env), (client) => client.getTask(id, past));
      world.out.write(options.json ? `${harmlessJson(task)}\n` : described(task));
      world.finish(EXIT.done);
    });
}

/** A task in lines of `what: how`; what is not known is left out. Pure. */
export function described(task: TaskStatusData): string {
  const shown = shownTask(task);
  const { start_time: start, end_time: end, error, progress } = task;
  const took = start === null || end === null
    ? ""
    : duration(Math.max(0, Date.parse(end) - Date.parse(start)));
  const rows: readonly (readonly [string, string | null])[] = [
    ["task", task.task_id],
    ["name", task.name],
    ["type", task.type],
    ["tags", task.tags.join(", ")],
    ["part of", task.parent_id],
    ["status", statusWord(shown)],
    ["progress", [share(shown), counts(shown), timeLeft(shown)].filter((part) => part !== "").join("  ")],
    ["current", progress.current],
    ["doing", progress.status],
    ["reason", task.reason],
    [
      "error",
      error === null ? null : error.code === undefined ? error.message : `${error.message} (${error.code})`,
    ],
    ["result", task.result === null || task.result === undefined ? null : JSON.stringify(task.result)],
    ["created", task.created_time],
    ["started", start],
    ["ended", end],
    ["took", took],
  ];
  return rows.filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name.padEnd(9)} ${harmless(value ?? "")}\n`).join("");
}
