import * as v from "valibot";
import type { Licensed } from "../../deploy/licences.ts";
import { environment } from "../cli/cli_process.ts";
import { isFile, run } from "../programs.ts";
import { NODE } from "./node_program.ts";

const SOURCE = new URL("bullmq/", import.meta.url);
/** The most that a job of these tests may take, ms. */
const JOB_MS = 30_000;

/** A job for the shop, as `bullmq/shop.mjs` takes it. */
export type ShopJob = {
  readonly name: string;
  readonly options?: object;
  readonly children?: readonly object[];
};

const Manifest = v.object({ name: v.string(), version: v.string(), license: v.string() });

/** A real queue and its worker, in a folder of its own with BullMQ, as `bullmq/deno.lock` has it. Disposing it ends both. */
export class InstalledShop implements AsyncDisposable {
  /** Where it is, and BullMQ is found. */
  readonly folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #answers: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  private constructor(folder: string, redisUrl: string) {
    this.folder = folder;
    const [program, ...args] = NODE;
    this.#child = new Deno.Command(program, {
      args: [...args, "shop.mjs"],
      cwd: folder,
      env: { REDIS_URL: redisUrl },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#answers = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Installs it, and starts the worker of the queue `mail`. */
  static async open(redisUrl: string): Promise<InstalledShop> {
    const folder = await Deno.makeTempDir({ prefix: "taskwire-shop-" });
    for (const { name } of Deno.readDirSync(SOURCE)) {
      await Deno.copyFile(new URL(name, SOURCE), `${folder}/${name}`);
    }
    await run(Deno.execPath(), ["install", "--frozen", "--quiet"], { cwd: folder, env: environment() });
    return new InstalledShop(folder, redisUrl);
  }

  /** Everything that was installed, with its licence. */
  packages(): readonly Licensed[] {
    const store = `${this.folder}/node_modules/.deno`;
    return [...Deno.readDirSync(store)].flatMap(({ name: id }) => {
      // `<name>@<version>`, a scope's slash as `+`; what else lies there are links.
      const name = /^(@?[^@]+)@/.exec(id)?.[1]?.replace("+", "/");
      const manifest = `${store}/${id}/node_modules/${name}/package.json`;
      if (name === undefined || !isFile(manifest)) return [];
      const { license, version } = v.parse(Manifest, JSON.parse(Deno.readTextFileSync(manifest)));
      return [{ name, version, licence: license, use: "tests" as const }];
    });
  }

  /** Has a job done, and resolves with its id when it has ended, however it did. */
  async does(job: ShopJob): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), JOB_MS);
    const { value } = await this.#answers.read().finally(() => clearTimeout(timer));
    if (value === undefined) throw new Error(`The shop ended at ${job.name}`);
    return value.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#input.abort().catch(() => {});
    await this.#answers.cancel();
    await this.#child.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}
