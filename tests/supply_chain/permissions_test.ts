import { assert, assertEquals, assertMatch } from "@std/assert";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { nkeys } from "nats.ws";
import * as v from "valibot";
import { SETTINGS } from "../../src/settings/environment.ts";
import { notPermitted } from "../../src/settings/permissions.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { eventually } from "../eventually.ts";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { type Ended, ProjectCopy } from "./project_copy.ts";

const START = ["task", "--quiet", "start"];

/** What of deno.json the start of a gateway is about. */
const Config = v.object({
  tasks: v.object({ start: v.object({ command: v.string() }) }),
  permissions: v.object({ default: v.record(v.string(), v.unknown()) }),
});

const { tasks, permissions } = v.parse(
  Config,
  JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url))),
);

Deno.test("of the environment a gateway sees every setting, and beside them only whether Deno exports", () => {
  const { allow, ignore } = v.parse(
    v.object({ allow: v.array(v.string()), ignore: v.boolean() }),
    permissions.default["env"],
  );
  const names = [...SETTINGS.map(({ name }) => name), "OTEL_DENO"];
  const missing = names.filter((name) => !allow.includes(name));
  assertEquals(missing, [], `permissions.default.env.allow in deno.json misses ${missing.join(", ")}`);
  assertEquals(allow.filter((name) => !names.includes(name)), [], "deno.json allows what nobody reads");
  // Packages read names of their own, and would throw where that is refused: they read them as unset.
  assertEquals(ignore, true);
});

Deno.test("deno.json allows a gateway no program, no library, and one folder to write in", () => {
  const { env: _, ...others } = permissions.default;
  assertEquals(others, {
    net: true,
    sys: ["osUptime"],
    // Plug-ins are modules that are named by a setting, looked for in two folders; they import what they need of the sources.
    read: ["./src", "./plugins", "./data"],
    write: ["./data"],
  });
  assertEquals(tasks.start.command.split(" && "), [
    "deno run --no-prompt --allow-env src/settings/spelling_check.ts",
    "deno run -P --no-prompt main.ts",
  ]);
});

/** What a process said for itself, without what Deno says of permissions in the configuration. */
function ownLines({ stderr }: Pick<Ended, "stderr">): string[] {
  return stderr.trimEnd().split("\n").filter((line) => !line.startsWith("Warning Permissions in the config"));
}

/** Appends a task's end, watched by who connects with `token`. */
async function assertServes(url: string, taskId: string, token?: string): Promise<void> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const topics = `${url.replace("http", "ws")}/ws?topics=task:id:${taskId}:status`;
  await using client = await TestClient.connect(topics, { headers: authorization });
  await client.next("subscribed");
  const answer = await fetch(`${url}/api/tasks/${taskId}/events`, {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body: JSON.stringify([{ kind: "started" }, { kind: "completed" }]),
  });
  assertEquals([answer.status, (await answer.text()).includes("error")], [202, false]);
  const told = [await client.next("task_status"), await client.next("task_status")];
  assertEquals(told.map(({ data }) => data.status), ["running", "completed"]);
  for (const path of ["/", "/dashboard.js", "/client.js", `/api/tasks/${taskId}`, "/metrics"]) {
    const response = await fetch(`${url}${path}`, { headers: authorization });
    await response.body?.cancel();
    assertEquals(response.status, 200, path);
  }
}

Deno.test("deno task start serves on the embedded log in ./data, again after a restart, and ends in order", async () => {
  await using project = await ProjectCopy.make();
  for (const taskId of ["before", "after"]) {
    const gateway = project.run(START, { PORT: "0" });
    const url = await gateway.listening();
    await assertServes(url, taskId);
    const answer = await fetch(`${url}/api/tasks/before`);
    const { status }: { status: string } = await answer.json();
    assertEquals(status, "completed");
    const ended = await gateway.end();
    assertEquals([ended.code, ownLines(ended).filter((line) => !line.includes(" info "))], [0, []]);
  }
  assert((await Deno.stat(`${project.folder}/data/log.sqlite`)).isFile);
});

Deno.test("deno task start serves on NATS with a seed file, keys of JWTs from their URL, and Deno's export", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = { keys: [{ ...await exportJWK(publicKey), kid: "k1", alg: "ES256", use: "sig" }] };
  const exported: string[] = [];
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  await using others = Deno.serve(options, async (request) => {
    await request.arrayBuffer();
    const { pathname } = new URL(request.url);
    if (pathname === "/jwks") return Response.json(jwks);
    exported.push(`${pathname} ${request.headers.get("x-key")}`);
    return Response.json({});
  });
  const otherUrl = `http://127.0.0.1:${others.addr.port}`;
  const token = await new SignJWT({ rights: ["subscribe", "publish", "admin"], topics: ["*"] })
    .setProtectedHeader({ alg: "ES256", kid: "k1" })
    .setSubject("ann").setAudience("taskwire").setExpirationTime("5m")
    .sign(privateKey);

  const user = nkeys.createUser();
  await using nats = await startNatsServer({
    config: `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`,
  });
  await using project = await ProjectCopy.make();
  const seed = (folder: string): Promise<void> => Deno.writeFile(`${folder}/seed`, user.getSeed());
  await Deno.mkdir(`${project.folder}/data`);
  await Promise.all([seed(`${project.folder}/data`), seed(project.outside)]);
  const settings = {
    PORT: "0",
    NATS_URL: nats.url,
    AUTH: "jwt",
    JWKS_URL: `${otherUrl}/jwks`,
    JWT_AUDIENCE: "taskwire",
  };
  const gateway = project.run(START, {
    ...settings,
    NATS_NKEY_SEED: "data/seed",
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: otherUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=exporters",
    OTEL_METRIC_EXPORT_INTERVAL: "200",
  });
  await assertServes(await gateway.listening(), "job1", token);
  await eventually("metrics are exported", () => exported.includes("/v1/metrics exporters"));
  assertEquals((await gateway.end()).code, 0);

  // A file elsewhere.
  const elsewhere = { ...settings, NATS_NKEY_SEED: `${project.outside}/seed` };
  const command = await commandOf(project, elsewhere, "NATS_NKEY_SEED", "no read access");
  assertEquals(command, `deno run -P --no-prompt --allow-read=src,plugins,${project.outside}/seed main.ts`);
  const allowed = project.run(command.split(" ").slice(1), elsewhere);
  await assertServes(await allowed.listening(), "job2", token);
  assertEquals((await allowed.end()).code, 0);
});

/** The command that a start names when it ends because of `setting`, in one line. */
async function commandOf(
  project: ProjectCopy,
  env: Readonly<Record<string, string>>,
  setting: string,
  why: string,
): Promise<string> {
  const ended = await project.run(START, env).ended();
  const [line = "", ...more] = ownLines(ended);
  assertEquals([ended.code, ended.stdout, more], [1, "", []], ended.stderr);
  assert(line.startsWith(`Cannot use ${setting}="${env[setting]}": this process has ${why}`), line);
  return line.slice(line.indexOf("deno run"));
}

Deno.test("a data folder elsewhere ends the start with a command, and with that it serves from there", async () => {
  await using project = await ProjectCopy.make();
  const dataDir = `${project.outside}/my data`;
  const env = { PORT: "0", DATA_DIR: dataDir };
  const command = await commandOf(project, env, "DATA_DIR", "no read and write access");
  const flags = [`--allow-read=src,plugins,${dataDir}`, `--allow-write=${dataDir}`];
  assertEquals(command, `deno run -P --no-prompt ${flags.map((flag) => `'${flag}'`).join(" ")} main.ts`);
  const gateway = project.run(["run", "-P", "--no-prompt", ...flags, "main.ts"], env);
  await assertServes(await gateway.listening(), "job1");
  assertEquals((await gateway.end()).code, 0);
  assert((await Deno.stat(`${dataDir}/log.sqlite`)).isFile);
});

Deno.test("a file with NATS credentials elsewhere has its command too, and paths are quoted for a shell", () => {
  const refusal = (env: Readonly<Record<string, string>>, may: boolean): string | undefined => {
    const read = readSettings(env);
    assert("settings" in read);
    return notPermitted(read.settings, () => may);
  };
  const creds = { NATS_URL: "nats://127.0.0.1:4222", NATS_CREDS: "/etc/o'neill.creds" };
  assertEquals(
    refusal(creds, false),
    `Cannot use NATS_CREDS="/etc/o'neill.creds": this process has no read access to it. Start it, in the ` +
      `project's folder, with: deno run -P --no-prompt '--allow-read=src,plugins,/etc/o'\\''neill.creds' main.ts`,
  );
  assertEquals(refusal(creds, true), undefined);
  const tls = { NATS_URL: "nats://127.0.0.1:4222", TLS_CERT: "/tls/cert.pem", TLS_KEY: "/tls/key.pem" };
  assertEquals(
    refusal(tls, false),
    'Cannot use TLS_CERT="/tls/cert.pem": this process has no read access to it. Start it, in the project\'s ' +
      "folder, with: deno run -P --no-prompt --allow-read=src,plugins,/tls/cert.pem,/tls/key.pem main.ts",
  );
  // Which a gateway on NATS does not touch.
  assertEquals(refusal({ NATS_URL: "nats://127.0.0.1:4222", DATA_DIR: "/elsewhere" }, false), undefined);
});

Deno.test("a gateway's network can be narrowed to its hosts, and the plug-ins that come with it are loaded", async () => {
  await using nats = await startNatsServer();
  await using project = await ProjectCopy.make();
  const port = freePort();
  const hosts = `--allow-net=127.0.0.1:${port},${new URL(nats.url).host}`;
  const PLUGINS = ["group_progress", "task_log"].map((name) => `src/plugins/examples/${name}.ts`).join(",");
  const env = { PORT: `${port}`, NATS_URL: nats.url, PLUGINS };
  const gateway = project.run(["run", "-P", "--no-prompt", hosts, "main.ts"], env);
  await assertServes(await gateway.listening(), "job1");
  assertEquals((await gateway.end()).code, 0);
});

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

Deno.test("a start tells which names in the environment are nearly settings", async () => {
  await using project = await ProjectCopy.make();
  const ended = await project.run(START, { PORT: "none", AUTH_TOKNES: "x", HOSTNAME: "box" }).ended();
  assertEquals(ended.code, 2);
  assertEquals(ownLines(ended), [
    "Warning: AUTH_TOKNES is not a setting: was AUTH_TOKENS meant?",
    "Cannot start with these settings:",
    '  PORT="none" must be a whole number from 0 to 65535',
  ]);
});

const Told = v.object({
  meant: v.record(v.string(), v.string()),
  notMeant: v.record(v.string(), v.string()),
});

Deno.test("with the permissions of a gateway nothing else is done than what it is for", async () => {
  await using project = await ProjectCopy.make();
  await Deno.mkdir(`${project.folder}/data`);
  await Deno.writeTextFile(`${project.outside}/secret.json`, "{}");
  await Deno.copyFile(new URL("probe.ts", import.meta.url), `${project.folder}/probe.ts`);
  const env = {
    JWT_SECRET: "a setting",
    CLOUD_SECRET_KEY: "no setting",
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=exporters",
  };
  const probed = async (...flags: string[]): Promise<v.InferOutput<typeof Told>> => {
    const { code, stdout, stderr } = await project
      .run(["run", "--no-prompt", ...flags, "probe.ts", project.outside], env).ended();
    assertEquals(code, 0, stderr);
    return v.parse(Told, JSON.parse(stdout));
  };
  const { meant, notMeant } = await probed("-P");
  for (const [what, outcome] of Object.entries(meant)) assertEquals(outcome, "done", what);
  for (const [what, outcome] of Object.entries(notMeant)) {
    assertMatch(outcome, REFUSED, `${what}: ${outcome}`);
  }
  // Each of them is refused for want of permission, not because it is tried the wrong way.
  for (const [what, outcome] of Object.entries((await probed("-A")).notMeant)) {
    assertEquals(outcome, "done", what);
  }
});

/** How Deno refuses, SQLite in Deno, a program as in Node, and a variable that reads as unset. */
const REFUSED =
  /Requires .* access|requires unscoped|too many attached databases|Command failed|It is not there/;
