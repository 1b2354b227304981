import { assert, assertEquals, assertMatch } from "@std/assert";
import * as v from "valibot";
import { run } from "../programs.ts";
import { fence } from "../readme.ts";
import { deployed } from "./deployed.ts";
import { assertGreets } from "./greeter.ts";
import { image } from "./image.ts";
import { answers, freePort, ServerProcess } from "./server_process.ts";

const ROOT = new URL("../../", import.meta.url);

const Config = v.object({ tasks: v.object({ start: v.object({ command: v.string() }) }) });

Deno.test("the image is of the Deno that CI runs, nobody in particular, and starts as deno task start does", async () => {
  const { denoVersion, user, command } = await image();
  const ci = await Deno.readTextFile(new URL(".ci/run", ROOT));
  assert(ci.includes(`deno_version=${denoVersion}\n`), `CI does not run ${denoVersion}`);
  assertMatch(user, /^[1-9]\d*:[1-9]\d*$/);
  const { tasks } = v.parse(Config, JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))));
  const start = tasks.start.command.split(" && ").at(-1);
  assertEquals(["deno", ...command.filter((word) => word !== "--cached-only")].join(" "), start);
});

Deno.test("what is taken into the image is what is copied", async () => {
  const { sources } = await image();
  const taken = (await deployed("docker/Dockerfile.dockerignore")).split("\n")
    .filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  assertEquals([...sources].sort(), taken.sort());
});

Deno.test("the image's files are all it needs: it starts without network, with a plug-in of one's own, writes to its data alone, and ends in order", async () => {
  const { sources, leftOut, build, command, healthCheck, environment, user } = await image();
  // Not below TMPDIR, which may be closed to the user that it runs as.
  const root = await Deno.makeTempDir({ dir: "/tmp", prefix: "taskwire-image-" });
  try {
    const [app, cache, deno] = [`${root}/app`, `${root}/deno-dir`, `${root}/bin/deno`];
    for (const source of sources) await copy(new URL(source, ROOT).pathname, `${app}/${source}`, leftOut);
    await copy(Deno.execPath(), deno, []);
    const path = `${root}/bin:${Deno.env.get("PATH") ?? ""}`;
    await run("sh", ["-c", build], { cwd: app, env: { DENO_DIR: cache, PATH: path } });
    await Deno.mkdir(`${app}/plugins`); // as a volume has it
    await Deno.writeTextFile(`${app}/plugins/greeter.ts`, fence("ts greeter"));
    const [kept, locked] = [await packages(`${app}/deno.lock`), await packages(new URL("deno.lock", ROOT))];
    assertEquals(
      Object.entries(kept).filter(([id, hash]) => locked[id] !== hash),
      [],
      "versions are those locked",
    );
    assertEquals(
      ["fast-check", "yaml"].filter((name) => Object.keys(kept).some((id) => id.startsWith(`${name}@`))),
      [],
    );
    const uid = Deno.uid() === 0 ? Number(user.split(":")[0]) : undefined;
    await Deno.chmod(root, 0o755);
    await readOnly(app);
    await readOnly(cache);
    await Deno.chmod(`${app}/data`, 0o755);
    if (uid !== undefined) await Deno.chown(`${app}/data`, uid, uid);

    const port = freePort();
    const options = {
      cwd: app,
      clearEnv: true,
      env: {
        ...environment,
        AUTH: "off",
        PLUGINS: "./plugins/greeter.ts",
        PORT: `${port}`,
        DENO_DIR: cache,
        HOME: "/nonexistent",
        HTTPS_PROXY: "http://127.0.0.1:9", // where nobody answers
        NO_COLOR: "1",
      },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    };
    const health = async (): Promise<number> => (await ServerProcess.ended(deno, healthCheck, options)).code;
    assertEquals(await health(), 1, "where nothing runs nothing lives");
    const isReady = () => answers(`http://127.0.0.1:${port}/readyz`);
    await using gateway = await ServerProcess.start(deno, command, isReady, options);
    assertEquals(await health(), 0);
    await assertGreets(`http://127.0.0.1:${port}`);
    assert((await Deno.stat(`${app}/data/log.sqlite`)).isFile);
    gateway.signal("SIGTERM");
    assertEquals(await gateway.gone, 0, gateway.said);
  } finally {
    await writable(root);
    await Deno.remove(root, { recursive: true });
  }
});

const Lock = v.object({ npm: v.record(v.string(), v.object({ integrity: v.string() })) });

/** The packages of a lock file, with their hashes. */
async function packages(lock: string | URL): Promise<Record<string, string>> {
  const { npm } = v.parse(Lock, JSON.parse(await Deno.readTextFile(lock)));
  return Object.fromEntries(Object.entries(npm).map(([id, { integrity }]) => [id, integrity]));
}

async function copy(from: string, to: string, leftOut: readonly string[]): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(to.replace(/\/[^/]+$/, ""), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  for await (const { name } of Deno.readDir(from)) {
    if (!leftOut.includes(name)) await copy(`${from}/${name}`, `${to}/${name}`, leftOut);
  }
}

async function readOnly(folder: string): Promise<void> {
  await run("chmod", ["-R", "a-w,a+rX", folder]);
}

async function writable(folder: string): Promise<void> {
  await run("chmod", ["-R", "u+w", folder]);
}
