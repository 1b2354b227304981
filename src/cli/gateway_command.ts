import type { Command } from "commander";
import { DEFAULT_URL } from "./gateway.ts";

/** Gives a command what every one that speaks to a gateway takes. */
export function withGatewayOptions(command: Command): Command {
  return command
    .option("--url <url>", `the gateway; default: TASKWIRE_URL, else ${DEFAULT_URL}`)
    .option("--token <token>", "a token for the gateway; default: TASKWIRE_TOKEN")
    .option("--json", "print JSON");
}
