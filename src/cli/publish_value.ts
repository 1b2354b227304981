import { type Command, InvalidArgumentError } from "commander";
import { isChannelKey } from "../protocol/names.ts";
import { systemClock } from "../worker/clock.ts";
import { outgoingValue } from "../worker/outgoing_value.ts";
import { gatewayValues } from "../worker/value_carriers.ts";
import { channel, eventId, jsonOrText } from "./arguments.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import type { World } from "./world.ts";

type Options = GatewayOptions & { readonly key?: string; readonly eventId?: string };

/** How long the gateway may take, ms. */
const PUBLISH_MS = 10_000;

/** `publish-value <topic> <value>`. */
export function publishValueCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("publish-value"))
    .description("Publish one value to a channel; done when it is durable")
    .argument("<topic>", "the channel, such as data:candles", channel)
    .argument("<value>", "any JSON, or text", jsonOrText)
    .option("--key <key>", "whose value it is within the channel", key)
    .option(
      "--event-id <id>",
      "names the value, so that publishing it again within DEDUP_WINDOW stores it once",
      eventId,
    )
    .action(async (topic: string, payload: unknown, options: Options) => {
      const { http, token } = gatewayOf(options, world.env);
      await using carrier = await gatewayValues(http, { clock: systemClock, token });
      const id = options.eventId ?? crypto.randomUUID();
      const value = outgoingValue({ id, topic, key: options.key ?? "", payload }, carrier.laneOf);
      const [stored] = await carrier.send([value], AbortSignal.timeout(PUBLISH_MS));
      if (stored === undefined) throw new CliError(`${http.origin} did not say where the value is`);
      const already = stored.duplicate ? ", as it was before" : "";
      world.out.write(
        options.json ? `${JSON.stringify(stored)}\n` : `value ${stored.seq} is in the log${already}\n`,
      );
      world.finish(EXIT.done);
    });
}

function key(text: string): string {
  if (isChannelKey(text)) return text;
  throw new InvalidArgumentError("It must be 1–128 characters, none of which is white space.");
}
