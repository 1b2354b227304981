import type { Command } from "commander";
import type { At, TaskStatusData } from "../client/client.ts";
import type { TaskStatus } from "../protocol/client_frames.ts";
import { at, status, tag, taskId, text, whole } from "./arguments.ts";
import { idColumns, taskLine } from "./drawing.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions, withClient } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import type { Output } from "./output.ts";
import { shownTask } from "./shown_task.ts";
import type { World } from "./world.ts";
import { harmlessJson } from "./text_width.ts";

type TasksOptions = GatewayOptions & {
  readonly status?: TaskStatus;
  readonly tag?: string;
  readonly parent?: string;
  readonly type?: string;
  readonly limit: number;
  readonly page: number;
  readonly at?: At;
};

/** Wide enough for any line where no terminal sets an edge. */
const NO_EDGE = { columns: 400, rows: 0 };

/** `tasks`. */
export function tasksCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("tasks"))
    .description("List tasks, the newest first")
    .option("--status <status>", "only those with this status", status)
    .option("--tag <tag>", "only those with this tag", tag)
    .option("--parent <id>", "only the parts of this task", taskId)
    .option("--type <type>", "only those of this type", text(64))
    .option("--limit <n>", "at most so many, 1 to 1000", whole(1, 1_000), 100)
    .option("--page <n>", "which page of so many, from 1", whole(1, 1_000_000), 1)
    .option("--at <point>", "as they were at a position of the stream, or at a time (RFC 3339)", at)
    .action(async (options: TasksOptions) => {
      const { parent, limit, page } = options;
      const query = {
        ...picked(options),
        ...(parent === undefined ? {} : { parent_id: parent }),
        limit,
        page,
      };
      const answer = await withClient(gatewayOf(options, world.env), (client) => client.getTasks(query));
      if (options.json) world.out.write(`${harmlessJson(answer)}\n`);
      else table(answer, world.out);
      world.finish(EXIT.done);
    });
}

/** Those of the filters that are called the same in a query and were given. */
function picked(
  { status, tag, type, at }: TasksOptions,
): Pick<TasksOptions, "status" | "tag" | "type" | "at"> {
  return {
    ...(status === undefined ? {} : { status }),
    ...(tag === undefined ? {} : { tag }),
    ...(type === undefined ? {} : { type }),
    ...(at === undefined ? {} : { at }),
  };
}

function table(
  { tasks, total, next_page: next }: {
    readonly tasks: readonly TaskStatusData[];
    readonly total: number;
    readonly next_page?: number;
  },
  out: Output,
): void {
  const shown = tasks.map(shownTask);
  const style = { size: out.size() ?? NO_EDGE, colours: out.colours };
  const width = idColumns(shown);
  for (const task of shown) out.write(`${taskLine(task, width, style)}\n`);
  const more = next === undefined ? "" : `; more: --page ${next}`;
  out.complain(tasks.length === 0 ? "No task fits.\n" : `${tasks.length} of ${total} tasks${more}\n`);
}
