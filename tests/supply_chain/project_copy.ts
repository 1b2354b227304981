import { SETTINGS } from "../../src/settings/environment.ts";
import { eventually } from "../eventually.ts";

const ROOT = new URL("../../", import.meta.url);

/** What a start may take on a machine that has much else to do, and an end, ms. */
const START_MS = 30_000;
const END_MS = 20_000;

/** How a process ended and what it said until then. */
export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** The project in a folder of its own, where `./data` is nobody else's; and a folder outside of it. Both go with it. */
export class ProjectCopy implements AsyncDisposable {
  readonly folder: string;
  readonly outside: string;
  readonly #running = new Set<Running>();

  private constructor(folder: string, outside: string) {
    this.folder = folder;
    this.outside = outside;
  }

  static async make(): Promise<ProjectCopy> {
    const [folder, outside] = await Promise.all(
      ["project", "outside"].map((name) => Deno.makeTempDir({ prefix: `taskwire-${name}-` })),
    );
    if (folder === undefined || outside === undefined) throw new Error("No folders were made");
    for (const file of ["main.ts", "deno.json", "deno.lock"]) {
      await Deno.copyFile(new URL(file, ROOT), `${folder}/${file}`);
    }
    await copyFolder(new URL("src/", ROOT).pathname, `${folder}/src`);
    return new ProjectCopy(folder, outside);
  }

  /** Starts Deno in the copy, with these arguments and settings, and whatever else is in our environment. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const running = new Running(args, this.folder, env);
    this.#running.add(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) await running.end();
    await Promise.all([this.folder, this.outside].map((path) => Deno.remove(path, { recursive: true })));
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (name === "pictures") continue;
    await (isDirectory ? copyFolder : Deno.copyFile)(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A process of Deno. */
export class Running {
  stdout = "";
  stderr = "";
  #isOver = false;
  readonly #child: Deno.ChildProcess;
  readonly #gone: Promise<number>;

  constructor(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd,
      clearEnv: true,
      env: { ...plainEnvironment(), ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#gone = this.#untilGone();
  }

  /** Where it says that it listens. Rejects with what it said when it ends instead. */
  async listening(): Promise<string> {
    const said = (): string | undefined => /listens on (http:\/\/\S+)/.exec(this.stdout)?.[1];
    await eventually("it listens", () => this.#isOver || said() !== undefined, START_MS);
    const url = said();
    if (url === undefined) throw new Error(`It did not start: ${this.stdout}${this.stderr}`);
    await eventually("it is ready", async () => {
      const response = await fetch(`${url}/readyz`);
      await response.body?.cancel();
      return response.status === 200;
    }, START_MS);
    return url;
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<Ended> {
    await eventually("it ended", () => this.#isOver, END_MS);
    return { code: await this.#gone, stdout: this.stdout, stderr: this.stderr };
  }

  /** SIGTERM, which `deno task` hands on; SIGKILL would leave what it runs. */
  async end(): Promise<Ended> {
    if (!this.#isOver) this.#child.kill("SIGTERM");
    return await this.ended();
  }

  async #untilGone(): Promise<number> {
    const [{ code }] = await Promise.all([
      this.#child.status,
      this.#read(this.#child.stdout, (text) => this.stdout += text),
      this.#read(this.#child.stderr, (text) => this.stderr += text),
    ]);
    this.#isOver = true;
    return code;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, take: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
  }
}

/** Ours, but no settings, no coverage of files that will be gone, and none of their code kept by Deno. */
function plainEnvironment(): Record<string, string> {
  const env = Deno.env.toObject();
  for (const { name } of SETTINGS) delete env[name];
  delete env["DENO_COVERAGE_DIR"];
  return { ...env, NO_COLOR: "1", DENO_EMIT_CACHE_MODE: "disable" };
}
