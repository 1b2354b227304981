import { assert, assertEquals } from "@std/assert";
import { bundle } from "../../deploy/bundle.ts";
import { startNatsServer } from "../nats_server.ts";
import { onPath } from "../programs.ts";
import { fence } from "../readme.ts";
import { eventually } from "../eventually.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

/** What a package's worker is tried with, where the tools of its language are. */
const PINNED = { python: "nats-py==2.15.0", go: "github.com/nats-io/nats.go@v1.43.0" } as const;

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end, or until `isEnough` of what it printed. */
async function run(
  program: string,
  args: readonly string[],
  { cwd, isEnough = () => false }: { cwd: string; isEnough?: (stdout: string) => boolean },
): Promise<Ran> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = child.stderr.text();
  let stdout = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (isEnough(stdout)) child.kill("SIGKILL");
  }
  const { code } = await child.status;
  return { code, stdout, stderr: await errors };
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-readme-" });
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function at(code: string, { port }: GatewayProcess): string {
  return code.replaceAll("127.0.0.1:8000", `127.0.0.1:${port}`);
}

Deno.test("the README's client for Deno runs as pasted, and its types are found by its address", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("job1", { kind: "started" });
    await inFolder(async (cwd) => {
      await Deno.writeTextFile(`${cwd}/client.ts`, at(fence("ts deno"), gateway));
      const host = `127.0.0.1:${gateway.port}`;
      const args = [
        "run",
        "--check",
        "--no-config",
        "--no-lock",
        `--allow-import=${host}`,
        `--allow-net=${host}`,
      ];
      const { code, stdout, stderr } = await run(Deno.execPath(), [...args, "client.ts"], { cwd });
      assertEquals([code, stdout], [0, "job1 running\n"], stderr);
      // The types are those of the client, not `any`.
      await Deno.writeTextFile(`${cwd}/wrong.ts`, `${at(fence("ts deno"), gateway)}\nclient.explode();\n`);
      const wrong = await run(Deno.execPath(), [...args, "wrong.ts"], { cwd });
      assert(wrong.stderr.includes("Property 'explode' does not exist on type 'Client'"), wrong.stderr);
    });
  });
});

const node = onPath(["node"]);

Deno.test({
  name: "the README's client for Node runs as pasted",
  ignore: node === undefined,
  fn: async () => {
    await withGateway({}, async (gateway) => {
      await gateway.post("job1", { kind: "started" });
      await inFolder(async (cwd) => {
        const client = await (await fetch(`${gateway.url}/client.js`)).text();
        await Deno.writeTextFile(`${cwd}/client.js`, client);
        await Deno.writeTextFile(`${cwd}/package.json`, '{ "type": "module" }');
        // What `npm install ws` would leave.
        await Deno.mkdir(`${cwd}/node_modules/ws`, { recursive: true });
        await Deno.writeTextFile(
          `${cwd}/node_modules/ws/package.json`,
          '{ "type": "module", "exports": "./ws.js" }',
        );
        const ws = new URL("../browsers/ws_socket.ts", import.meta.url);
        const bundled = new URL(`file://${cwd}/node_modules/ws/ws.js`);
        await bundle(ws, bundled, { platform: "deno", minify: false });
        await Deno.writeTextFile(`${cwd}/watch.js`, at(fence("js node"), gateway));
        const { stdout, stderr } = await run(node ?? "node", ["watch.js"], {
          cwd,
          isEnough: (printed) => printed.includes("\n"),
        });
        assertEquals(stdout, "job1 running\n", stderr);
      });
    });
  },
});

/** Runs `worker` against a real nats-server with a gateway on it; it must take the task through its life. */
async function assertWorks(taskId: string, worker: (natsUrl: string) => Promise<Ran>): Promise<void> {
  await using server = await startNatsServer();
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    const { code, stderr } = await worker(server.url);
    assertEquals(code, 0, stderr);
    await eventually("it completed", () => watcher.statuses.at(-1)?.status === "completed");
    assertEquals(
      watcher.statuses.map(({ taskId, status }) => [taskId, status]),
      ["pending", "running", "completed"].map((status) => [taskId, status]),
    );
    const last = watcher.of("task_status").at(-1)?.data;
    assertEquals([last?.result, last?.progress.percentage], [{ files: 3 }, 100]);
  });
}

/** A Python that can make an environment of its own; undefined where there is none. */
const python = onPath(["python3"]);
const venv = python !== undefined && canMakeVenv(python) ? python : undefined;

function canMakeVenv(program: string): boolean {
  return new Deno.Command(program, { args: ["-c", "import venv, ensurepip"], stderr: "null" }).outputSync()
    .success;
}

Deno.test({
  name: "the README's worker in Python runs as pasted",
  ignore: venv === undefined,
  fn: async () => {
    await inFolder(async (folder) => {
      const made = await run(venv ?? "python3", ["-m", "venv", "venv"], { cwd: folder });
      assertEquals(made.code, 0, made.stderr);
      const pip = await run(`${folder}/venv/bin/pip`, ["install", "--quiet", PINNED.python], { cwd: folder });
      assertEquals(pip.code, 0, pip.stderr);
      await assertWorks("py-1", async (natsUrl) => {
        await Deno.writeTextFile(
          `${folder}/worker.py`,
          fence("python").replace("nats://127.0.0.1:4222", natsUrl),
        );
        return await run(`${folder}/venv/bin/python`, ["worker.py"], { cwd: folder });
      });
    });
  },
});

Deno.test({
  name: "the README's worker in Go runs as pasted",
  ignore: onPath(["go"]) === undefined,
  fn: async () => {
    await inFolder(async (folder) => {
      const init = await run("go", ["mod", "init", "worker"], { cwd: folder });
      assertEquals(init.code, 0, init.stderr);
      const got = await run("go", ["get", PINNED.go], { cwd: folder });
      assertEquals(got.code, 0, got.stderr);
      await assertWorks("go-1", async (natsUrl) => {
        await Deno.writeTextFile(`${folder}/main.go`, fence("go").replace("nats://127.0.0.1:4222", natsUrl));
        return await run("go", ["run", "."], { cwd: folder });
      });
    });
  },
});
