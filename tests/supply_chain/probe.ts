/**
 * Run with the permissions of a gateway, in the project's folder: tries what a package that has gone bad would, and prints
 * what became of each as JSON: `done`, or what it was refused with. Its argument is a folder elsewhere.
 */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { uptime } from "node:os";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";

const [outside = ""] = Deno.args;
const require = createRequire(import.meta.url);

/** Throws where there is nothing. */
function some<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("It is not there");
  return value;
}

/** Runs `sql` on a database of the data folder. */
function inDatabase(sql: string): void {
  using database = new DatabaseSync("data/probe.sqlite");
  database.exec("CREATE TABLE IF NOT EXISTS t (a)");
  database.exec(sql);
}

const MEANT: Readonly<Record<string, () => unknown>> = {
  "read what browsers load": () => Deno.readFileSync("src/http/bundles/dashboard.js"),
  "write into the data folder": () => Deno.writeTextFileSync("data/mine", "text"),
  "read from the data folder": () => Deno.readTextFileSync("data/mine"),
  "keep a database in the data folder": () => inDatabase("INSERT INTO t VALUES (1)"),
  "listen": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "read a setting": () => some(Deno.env.get("JWT_SECRET")),
  "tell how long the machine is up": () => uptime(),
};

const NOT_MEANT: Readonly<Record<string, () => unknown>> = {
  "run a program": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  "run a program as in Node": () => execFileSync(Deno.execPath(), ["--version"]),
  "call into libraries": () => Deno.UnsafePointer.of(new Uint8Array(1)),
  "read a file elsewhere": () => Deno.readTextFileSync(`${outside}/secret.json`),
  "read the names of a folder elsewhere": () => [...Deno.readDirSync(outside)],
  "import a file elsewhere": () => import(`file://${outside}/secret.json`, { with: { type: "json" } }),
  "require a file elsewhere": () => require(`${outside}/secret.json`),
  "read a file of the project": () => Deno.readTextFileSync("deno.json"),
  "write a file elsewhere": () => Deno.writeTextFileSync(`${outside}/new`, ""),
  "write a file of the project": () => Deno.writeTextFileSync("src/new.ts", ""),
  "write beside the data folder by its name": () => Deno.writeTextFileSync("data/../new", ""),
  "write into what is served": () => Deno.writeTextFileSync("src/http/bundles/new.js", ""),
  "move a file out of the data folder": () => Deno.renameSync("data/mine", `${outside}/mine`),
  "link a file elsewhere into the data folder": () => Deno.symlinkSync(`${outside}/secret.json`, "data/link"),
  "make a temporary folder": () => Deno.makeTempDirSync({ dir: outside }),
  "open a database elsewhere": () => new DatabaseSync(`${outside}/new.sqlite`).close(),
  "attach a database elsewhere": () => inDatabase(`ATTACH '${outside}/attached.sqlite' AS other`),
  "copy a database elsewhere": () => inDatabase(`VACUUM INTO '${outside}/copied.sqlite'`),
  "read what is no setting": () => some(Deno.env.get("CLOUD_SECRET_KEY")),
  "read what is no setting as in Node": () => some(process.env["CLOUD_SECRET_KEY"]),
  "read the whole environment": () => some(Deno.env.toObject()["CLOUD_SECRET_KEY"]),
  "read the password of an exporter": () => some(Deno.env.get("OTEL_EXPORTER_OTLP_HEADERS")),
  "tell the machine's name": () => Deno.hostname(),
  "tell the machine's networks": () => Deno.networkInterfaces(),
};

async function outcomes(attempts: Readonly<Record<string, () => unknown>>): Promise<Record<string, string>> {
  const told: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      told[name] = "done";
    } catch (error) {
      told[name] = String(error);
    }
  }
  return told;
}

const told = { meant: await outcomes(MEANT), notMeant: await outcomes(NOT_MEANT) };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(told)));
