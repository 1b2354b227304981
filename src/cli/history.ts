import type { Command } from "commander";
import type { Client, HistoryEvent } from "../client/client.ts";
import { taskId, whole } from "./arguments.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions, withClient } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { harmless, harmlessJson } from "./text_width.ts";
import type { World } from "./world.ts";

type HistoryOptions = GatewayOptions & { readonly after: number; readonly limit: number };

/** Events asked for at once; the most that a gateway gives. */
const PAGE = 1_000;

/** `history <id>`. */
export function historyCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("history"))
    .description("Print the events of one task as they were written; exit code 1 where there are none")
    .argument("<id>", "the task's id", taskId)
    .option(
      "--after <seq>",
      "only those after this position of the stream",
      whole(0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .option("--limit <n>", "at most so many", whole(1, 1_000_000_000), 1_000_000_000)
    .action(async (id: string, options: HistoryOptions) => {
      await withClient(gatewayOf(options, world.env), async (client) => {
        for await (const event of events(client, id, options)) {
          world.out.write(`${options.json ? harmlessJson(event) : eventLine(event)}\n`);
        }
      });
      world.finish(EXIT.done);
    });
}

async function* events(
  client: Client,
  id: string,
  { after, limit }: HistoryOptions,
): AsyncGenerator<HistoryEvent> {
  let afterSeq: number | undefined = after;
  for (let left = limit; left > 0 && afterSeq !== undefined;) {
    const page: Awaited<ReturnType<Client["getHistory"]>> = await client.getHistory(id, {
      afterSeq,
      limit: Math.min(left, PAGE),
    });
    yield* page.events;
    left -= page.events.length;
    afterSeq = page.next_after_seq;
  }
}

/** One line about an event. Pure. */
export function eventLine({ seq, time, kind, body }: HistoryEvent): string {
  return harmless(`${String(seq).padStart(8)}  ${time}  ${kind.padEnd(16)}  ${JSON.stringify(body)}`);
}
