import type { Command } from "commander";
import { readSettings } from "../settings/settings.ts";
import { diskFindings } from "./doctor_disk.ts";
import { gatewayFindings } from "./doctor_gateway.ts";
import { natsFindings } from "./doctor_nats.ts";
import { certificateFindings } from "./doctor_certificate.ts";
import { EXIT } from "./exit_codes.ts";
import { type Finding, printed } from "./finding.ts";
import { DEFAULT_URL, gatewayOf, type GatewayOptions } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import type { World } from "./world.ts";

/** `doctor`. */
export function doctorCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("doctor"))
    .description(
      "Check settings, NATS, stream, rights, clocks, disk and gateway, and say how to mend what is wrong",
    )
    .action(async (options: GatewayOptions) => {
      const findings = await examined(options, world.env);
      const text = options.json ? JSON.stringify(findings) : findings.map(printed).join("\n");
      world.out.write(`${text}\n`);
      world.finish(findings.some(({ verdict }) => verdict === "wrong") ? EXIT.failed : EXIT.done);
    });
}

async function examined(options: GatewayOptions, env: World["env"]): Promise<readonly Finding[]> {
  const isMeant = options.url !== undefined || (env.TASKWIRE_URL ?? "") !== "";
  const read = readSettings(env);
  const speaksTls = "settings" in read && read.settings.tls !== undefined;
  const url = !isMeant && speaksTls ? DEFAULT_URL.replace("ws:", "wss:") : options.url;
  const gateway = gatewayOf({ ...options, ...(url === undefined ? {} : { url }) }, env);
  const warned = read.warnings.map((says): Finding => ({ check: "settings", verdict: "note", says }));
  if ("problems" in read) {
    const mend = "set it so in the gateway's environment, or unset it";
    const broken = read.problems.map((says): Finding => ({
      check: "settings",
      verdict: "wrong",
      says,
      mend,
    }));
    return [...broken, ...warned, ...await gatewayFindings(gateway, isMeant)];
  }
  const { settings } = read;
  const { nats } = settings;
  return [
    { check: "settings", verdict: "ok", says: "all follow their rules" },
    ...warned,
    ...await certificateFindings(settings),
    ...nats === undefined ? await diskFindings(settings) : await natsFindings(settings, nats),
    ...await gatewayFindings(gateway, isMeant),
  ];
}
