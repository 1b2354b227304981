import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { taskId, text } from "./arguments.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions, withClient } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { hasEnded, shownTask } from "./shown_task.ts";
import type { World } from "./world.ts";

type CancelOptions = GatewayOptions & { readonly reason?: string };

/** `cancel <id>`. */
export function cancelCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("cancel"))
    .description("Ask a task to stop; exit code 1 where it has ended, or there is none")
    .argument("<id>", "the task's id", taskId)
    .option("--reason <text>", "why, as its worker and everybody who watches will see it", text(4_096))
    .action(async (id: string, options: CancelOptions) => {
      const seq = await withClient(
        gatewayOf(options, world.env),
        (client) => cancel(client, id, options.reason),
      );
      const answer = options.json
        ? JSON.stringify({ task_id: id, seq })
        : `asked ${id} to stop (event ${seq})`;
      world.out.write(`${answer}\n`);
      world.finish(EXIT.done);
    });
}

/** Resolves with the position of the request in the log. */
async function cancel(client: Client, id: string, reason: string | undefined): Promise<number> {
  const task = await client.getTask(id);
  if (hasEnded(shownTask(task))) throw new CliError(`${id} has ended: it is ${task.status}`);
  return (await client.cancel(id, reason)).seq;
}
