/** Starts a gateway from the environment: `deno task start`. */
import { announcement } from "./src/gateway/announcement.ts";
import { Gateway } from "./src/gateway/gateway.ts";
import { openLog } from "./src/gateway/open_log.ts";
import { readClient } from "./src/http/assets.ts";
import { readDashboard } from "./src/http/dashboard_assets.ts";
import type { Plugin } from "./src/plugins/plugin.ts";
import { loadPlugins, PluginLoadError } from "./src/plugins/load_plugins.ts";
import { readCertificate } from "./src/settings/certificate.ts";
import { notPermitted } from "./src/settings/permissions.ts";
import { printProblems, readSettings, type Settings } from "./src/settings/settings.ts";
import { createLogger } from "./src/telemetry/logger.ts";
import { createTelemetry, exportedByDeno } from "./src/telemetry/telemetry.ts";

const EXIT = { ok: 0, failed: 1, badSettings: 2 } as const;

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function complain(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** What went wrong and why, in one line: what was tried, and below it what the system said. */
function explained(error: unknown): string {
  const why: string[] = [];
  for (let cause = error; cause !== undefined && why.length < 8;) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!why.some((known) => known.includes(message))) why.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return why.join(": ");
}

/** Serves until a signal comes; returns the exit code. */
async function serve(settings: Settings, plugins: readonly Plugin[]): Promise<number> {
  const { tls } = settings;
  const read = tls && await readCertificate(tls);
  if (read !== undefined && "problem" in read) {
    complain(printProblems([read.problem]));
    return EXIT.badSettings;
  }
  const log = createLogger({ level: settings.logLevel });
  const newId = (): string => crypto.randomUUID();
  const telemetry = createTelemetry({ log, newId, ...exportedByDeno(Deno.env.toObject()) });
  const gateway = new Gateway({
    settings,
    plugins,
    telemetry,
    openLog: (signal) => openLog(settings, telemetry, signal),
    assets: [
      ...await readClient(new URL("src/http/bundles/", import.meta.url)),
      ...await readDashboard(new URL("./", import.meta.url)),
    ],
    ...(tls === undefined || read === undefined
      ? {}
      : { tls: { certificate: read.certificate, paths: tls } }),
  });
  const stopped = signalled();
  try {
    const { port } = await gateway.listen();
    print(announcement(settings, port));
    await Promise.race([gateway.ready, stopped]);
    await stopped;
  } catch (error) {
    complain(explained(error));
    await gateway[Symbol.asyncDispose]();
    return error instanceof PluginLoadError ? EXIT.badSettings : EXIT.failed;
  }
  log.info("Going away", { withinMs: settings.drainMs });
  await gateway.drain();
  return EXIT.ok;
}

/** The plug-ins that the settings name; ends the process where one cannot be used. */
async function loaded({ plugins }: Settings): Promise<readonly Plugin[]> {
  try {
    return await loadPlugins(plugins);
  } catch (error) {
    complain(explained(error));
    return Deno.exit(EXIT.badSettings);
  }
}

/** Resolves at the first SIGTERM or SIGINT; the second ends the process at once. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) Deno.exit(EXIT.failed);
      asked = true;
      resolve();
    };
    Deno.addSignalListener("SIGTERM", onSignal);
    Deno.addSignalListener("SIGINT", onSignal);
  });
}

if (import.meta.main) {
  const read = readSettings(Deno.env.toObject());
  for (const warning of read.warnings) complain(`Warning: ${warning}`);
  if ("problems" in read) {
    complain(printProblems(read.problems));
    Deno.exit(EXIT.badSettings);
  }
  const refusal = notPermitted(
    read.settings,
    (name, path) => Deno.permissions.querySync({ name, path }).state === "granted",
  );
  if (refusal !== undefined) {
    complain(refusal);
    Deno.exit(EXIT.failed);
  }
  Deno.exit(await serve(read.settings, await loaded(read.settings)));
}
