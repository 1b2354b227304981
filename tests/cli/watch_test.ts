import { assert, assertEquals, assertMatch } from "@std/assert";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { eventually } from "../eventually.ts";
import { cli, CliProcess, environment, linesOf } from "./cli_process.ts";
import { seenOf } from "./terminal.ts";

const SIZE = { columns: 80, rows: 24 };

async function threeSteps(gateway: GatewayProcess, id: string): Promise<void> {
  await gateway.post(id, [
    { kind: "created", total: 3 },
    { kind: "started" },
    { kind: "progress", total: 3, completed: 1, current: "line\n\u001b[2Jtwo" },
    { kind: "completed", progress: { completed: 3 } },
  ]);
}

Deno.test("piped, every change is a plain line, foreign text steers nothing, and it ends with the last task", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("job1", [{ kind: "created", total: 3 }]);
    await using watch = new CliProcess(["watch", "--until-ended"], { url: gateway.url });
    await watch.said("job1  pending");
    await gateway.post("job1", [{ kind: "progress", total: 3, completed: 1, current: "a\n\u001b[2Jb" }]);
    await watch.said("a [2Jb");
    await gateway.post("job1", [{ kind: "completed", progress: { completed: 3 } }]);
    const { code, stdout } = await watch.ended();
    assertEquals(code, 0);
    assertEquals(/[^\P{Cc}\n]/u.test(stdout), false, "nothing but text and line ends is there");
    const lines = linesOf(stdout).map((line) => line.replace(/^\S+Z {2}/, ""));
    assertEquals(lines[0], "job1  pending  0 %  0/3");
    assertEquals(lines.at(-1), "job1  completed  100 %  3/3");
    assert(lines.some((line) => line.startsWith("job1  progress  33 %  1/3")), stdout);
  });
});

Deno.test("at a rate progress is told so often, the newest each time, and statuses as they come", async () => {
  await withGateway({}, async (gateway) => {
    const wrong = await cli(["watch", "--max-rate", "100"], { url: gateway.url });
    assertEquals([wrong.code, wrong.stderr.includes("a number from 0.1 to 50")], [2, true]);
    await gateway.post("job1", [{ kind: "created", total: 4 }]);
    await using watch = new CliProcess(["watch", "--until-ended", "--max-rate", "0.1"], { url: gateway.url });
    await watch.said("job1  pending");
    await gateway.post("job1", [{ kind: "progress", total: 4, completed: 1 }]);
    await watch.said("job1  running");
    for (const completed of [2, 3]) await gateway.post("job1", [{ kind: "progress", total: 4, completed }]);
    await gateway.post("job1", [{ kind: "completed" }]);
    const { code, stdout } = await watch.ended();
    assertEquals(code, 0);
    const progress = linesOf(stdout).flatMap((line) => /job1 {2}progress {2}(\d+ %)/.exec(line)?.[1] ?? []);
    assertEquals(progress, ["25 %", "75 %"]);
  });
});

Deno.test("a failed task is exit code 1 of who waits for its end; as JSON each line is a frame", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("bad", [{ kind: "started" }, { kind: "failed", error: "disk full" }]);
    const { code, stdout } = await cli(["watch", "bad", "--until-ended", "--json"], { url: gateway.url });
    assertEquals(code, 1);
    const frames = linesOf(stdout).map((line) => JSON.parse(line));
    assertEquals(frames.map(({ type }) => type), ["task_status", "caught_up"]);
    assertEquals(frames[0].data.error, { message: "disk full" });
  });
});

Deno.test("it waits for a gateway that comes later and outlives one that goes, saying each once", async () => {
  await withGateway({}, async (gateway) => {
    await using watch = new CliProcess(["watch"], { url: gateway.url });
    await gateway.post("before", [{ kind: "started" }]);
    await watch.said("before  running");
    await gateway.kill();
    await eventually("it noticed", () => watch.stderr.includes("not connected"));
    await gateway.start();
    await gateway.post("after", [{ kind: "started" }]);
    await watch.said("after  running");
    await eventually("it says so", () => watch.stderr.includes("connected again"));
    watch.signal("SIGINT");
    assertEquals((await watch.ended()).code, 130);
    assertMatch(watch.stderr, /^not connected: [^\n]+; trying again\nconnected again\n$/);
  });
});

Deno.test("whoever reads no more ends it without a word", async () => {
  await withGateway({}, async (gateway) => {
    await threeSteps(gateway, "job1");
    const shell = `"${Deno.execPath()}" run -A src/cli/main.ts watch --replay all | head -n 1`;
    const child = new Deno.Command("bash", {
      args: ["-c", `set -o pipefail; ${shell}`],
      cwd: new URL("../../", import.meta.url),
      env: { ...environment(), TASKWIRE_URL: gateway.url },
      clearEnv: true,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reading = child.output();
    const feeding = setInterval(() => void threeSteps(gateway, `job${Date.now()}`).catch(() => {}), 100);
    const { code, stderr } = await reading;
    clearInterval(feeding);
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  });
});

const hasScript = await new Deno.Command("script", { args: ["--version"], stdout: "null", stderr: "null" })
  .output().then(({ success }) => success, () => false);

/** `watch` with these arguments in a terminal of 80 columns. Disposing it ends it. */
class InTerminal implements AsyncDisposable {
  shown = "";
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;

  constructor(url: string, ...args: readonly string[]) {
    const command = `trap : INT; stty cols ${SIZE.columns} rows ${SIZE.rows}; "${Deno.execPath()}" run -qA ` +
      `src/cli/main.ts watch ${args.join(" ")}; echo code=$?`;
    this.#child = new Deno.Command("script", {
      args: ["-qfec", command, "/dev/null"],
      cwd: new URL("../../", import.meta.url),
      env: { ...environment(), TASKWIRE_URL: url, TERM: "xterm", SHELL: "/bin/sh" },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Waits until `text` was shown. */
  async shows(text: string): Promise<void> {
    await eventually(`it shows ${text}`, () => this.shown.includes(text), 30_000);
  }

  async type(key: number): Promise<void> {
    await this.#keys.write(new Uint8Array([key]));
  }

  /** Waits for its end; resolves with what is to be seen then, row by row, and its exit code. */
  async ended(): Promise<{ readonly rows: readonly string[]; readonly code: string | undefined }> {
    await this.shows("code=");
    const [seen] = seenOf([{ atMs: 0, text: this.shown }], SIZE);
    const rows = seen?.rows.map((row) => row.map(({ character }) => character).join("").trimEnd()) ?? [];
    return {
      rows: rows.filter((row) => row !== "" && !row.startsWith("code=")),
      code: /code=(\d+)/.exec(this.shown)?.[1],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keys.close();
    if (!this.shown.includes("code=")) this.#child.kill("SIGTERM");
    await this.#reading;
    await this.#child.status;
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) this.shown += text;
  }
}

Deno.test({
  name: "in a terminal bars move in place, and Ctrl-C gives the terminal back as it was",
  ignore: !hasScript,
  async fn() {
    await withGateway({}, async (gateway) => {
      await gateway.post("job1", [{ kind: "progress", total: 4, completed: 1 }]);
      await using watch = new InTerminal(gateway.url);
      await watch.shows("█████░");
      await gateway.post("job1", [{ kind: "progress", total: 4, completed: 2 }]);
      await watch.shows("██████████░");
      await watch.type(3);
      assertEquals((await watch.ended()).code, "130");
      const { shown } = watch;
      const [hidden, given] = [shown.lastIndexOf("\x1b[?25l"), shown.lastIndexOf("\x1b[?25h")];
      assert(hidden >= 0 && given > hidden, "the cursor is hidden and given back");
      assert(shown.includes("\x1b[2A"), "it is drawn over what was drawn");
    });
  },
});

Deno.test({
  name: "in a terminal nothing is left of who waited for the end but how the tasks ended",
  ignore: !hasScript,
  async fn() {
    await withGateway({}, async (gateway) => {
      await gateway.post("job1", [{ kind: "progress", total: 3, completed: 1 }]);
      await using watch = new InTerminal(gateway.url, "--until-ended");
      await watch.shows("live · 1 under way");
      await gateway.post("job1", [{ kind: "completed", progress: { completed: 3 } }]);
      assertEquals(await watch.ended(), {
        rows: ["✓ job1 ████████████████████ 100 %  completed   3/3"],
        code: "0",
      });
      assert(!watch.shown.includes("closed"), "its own end is no news");
    });
  },
});
