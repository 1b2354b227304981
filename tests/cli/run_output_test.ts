import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../src/client/client.ts";
import { eventually } from "../eventually.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { cli, CliProcess, environment } from "./cli_process.ts";

const ROOT = new URL("../../", import.meta.url);
/** Within which a cancel must have reached the program, ms. */
const REACHED_MS = 1_000;
/** What the kernel holds between a program, us and who reads, and we beside that: far less than a flood. */
const MOST_HELD = 2_000_000;

type Task = {
  readonly status: string;
  readonly error: { readonly message: string } | null;
  readonly progress: { readonly completed: number; readonly total: number | null };
};

async function task(gateway: GatewayProcess, id: string): Promise<Task> {
  return await gateway.get(`/api/tasks/${id}`) as Task;
}

async function until(gateway: GatewayProcess, id: string, status: string): Promise<void> {
  await eventually(
    `${id} is ${status}`,
    () => task(gateway, id).then((now) => now.status === status, () => false),
    30_000,
  );
}

/** The command line with a standard output that nobody reads unless asked to. Disposing it ends it. */
class Unread implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #isRead = false;

  /** `wrapper`: what the command line is run by. */
  constructor(args: readonly string[], url: string, wrapper: readonly string[] = []) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...wrapper, "run", "-A", "src/cli/main.ts", ...args],
      cwd: ROOT,
      clearEnv: true,
      env: { ...environment(), TASKWIRE_URL: url },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Reads all of its output; resolves with how many bytes those are. */
  async length(): Promise<number> {
    this.#isRead = true;
    let length = 0;
    for await (const bytes of this.#child.stdout) length += bytes.length;
    return length;
  }

  async code(): Promise<number> {
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // It ends what it runs.
      this.#child.kill("SIGTERM");
    } catch {
      // It is gone.
    }
    await this.#child.status;
    if (!this.#isRead) await this.#child.stdout.cancel();
  }
}

/** Asks for the task to be cancelled; resolves with how long it took until it was, ms. */
async function cancelledAfter(gateway: GatewayProcess, id: string): Promise<number> {
  const asked = await fetch(`${gateway.url}/api/tasks/${id}/cancel`, { method: "POST" });
  assert(asked.ok, await asked.text());
  const askedMs = performance.now();
  await until(gateway, id, "cancelled");
  return performance.now() - askedMs;
}

Deno.test("a standard output that takes nothing is told of once, and the program and its task end as they do", async () => {
  await withGateway({}, async (gateway) => {
    const script = "echo 1/3; sleep 1; for i in $(seq 1000); do echo 2/3; done; exit 3";
    const { code, stderr } = await shell(
      `"$DENO" run -A src/cli/main.ts run full -- sh -c '${script}' >/dev/full`,
      gateway.url,
    );
    assertMatch(stderr, /^taskwire: standard output takes no more: [^\n]*No space left on device[^\n]*\n$/);
    assertEquals(code, 3);
    const { status, error, progress } = await task(gateway, "full");
    assertEquals([status, error?.message, progress.completed], ["failed", "sh exited with code 3", 2]);
    const listed = await shell(`"$DENO" run -A src/cli/main.ts tasks >/dev/full`, gateway.url);
    assertMatch(listed.stderr, /^error: standard output takes no more: [^\n]+\n1 of 1 tasks\n$/);
    assertEquals(listed.code, 1);
  });
});

Deno.test("a standard output that answers 'try again' gets all of it, and a reader that left nothing", async () => {
  await withGateway({}, async (gateway) => {
    const command = ["run", "again", "--", "sh", "-c", "head -c 400000 /dev/zero; exit 4"];
    const wrapper = ["run", "-A", "tests/cli/nonblocking.ts", Deno.execPath()];
    await using child = new Unread(command, gateway.url, wrapper);
    await until(gateway, "again", "running");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assertEquals(await child.length(), 400_000);
    assertEquals(await child.code(), 4);
    assertEquals((await task(gateway, "again")).status, "failed");

    const left = await shell(
      `"$DENO" run -A src/cli/main.ts run left -- sh -c 'echo 1/2; sleep 1; echo 2/2; exit 5' | head -n 1`,
      gateway.url,
    );
    assertEquals([left.code, left.stdout, left.stderr], [5, "1/2\n", ""]);
    assertEquals((await task(gateway, "left")).progress.completed, 2);
  });
});

Deno.test("a cancel reaches a program that floods its output", async () => {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-flood-" });
  try {
    await withGateway({}, async (gateway) => {
      const script = `yes & sleep 1; touch ${folder}/flooded; wait`;
      await using flood = new CliProcess(["run", "flood", "--", "sh", "-c", script], {
        url: gateway.url,
        stdout: "null",
      });
      const isFlooded = () => Deno.stat(`${folder}/flooded`).then(() => true, () => false);
      await eventually("it has flooded for a second", isFlooded, 30_000);
      const tookMs = await cancelledAfter(gateway, "flood");
      assert(tookMs < REACHED_MS, `${tookMs} ms`);
      assertEquals((await flood.ended()).code, 143);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a cancel reaches a program whose reader stands still, and the program waits rather than we hold all", async () => {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-still-" });
  try {
    await withGateway({}, async (gateway) => {
      const script = `i=0; while :; do printf '%1000s'; i=$((i+1)); echo $i >${folder}/written; done`;
      const written = async () =>
        Number(await Deno.readTextFile(`${folder}/written`).catch(() => "")) * 1_000;
      await using child = new Unread(["run", "still", "--", "sh", "-c", script], gateway.url);
      let before = -1;
      await eventually("the program stands still", async () => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        const now = await written();
        const isStill = now > 0 && now === before;
        before = now;
        return isStill;
      }, 60_000);
      assert(before < MOST_HELD, `${before} bytes are held`);
      const tookMs = await cancelledAfter(gateway, "still");
      assert(tookMs < REACHED_MS, `${tookMs} ms`);
      assertEquals(await child.code(), 143);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a task ends with its program, not with who reads, who gets all of the output when they read on", async () => {
  await withGateway({}, async (gateway) => {
    const script = "head -c 120000 /dev/zero; echo 3/3";
    await using child = new Unread(["run", "late", "--", "sh", "-c", script], gateway.url);
    await until(gateway, "late", "completed");
    const { completed, total } = (await task(gateway, "late")).progress;
    assertEquals([completed, total], [3, 3]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assertEquals(await child.length(), 120_004);
    assertEquals(await child.code(), 0);
    // And whoever reads no more cannot hold us up when we are asked to go.
    await using stuck = new Unread(["run", "stuck", "--", "sh", "-c", script], gateway.url);
    await until(gateway, "stuck", "completed");
    stuck.signal("SIGTERM");
    assertEquals(await stuck.code(), 143);
  });
});

Deno.test("progress is found in output whose lines do not end", async () => {
  await withGateway({}, async ({ url }) => {
    const client = connect(url);
    const shares = new Set<number | null>();
    client.subscribe("task:tag:unended", (frame) => {
      if (frame.type === "task_progress") shares.add(frame.data.progress.percentage);
    });
    const run = (id: string, script: string) =>
      cli(["run", id, "--tag", "unended", "--", "sh", "-c", script], { url });
    await run("shares", "for i in 10 20 30; do printf '%s%% ' $i; sleep 0.6; done; sleep 0.6; printf 40");
    assertEquals([...shares], [10, 20, 30]);
    shares.clear();
    await run("counts", "for i in 1 2 3; do printf '\\r%s/4' $i; sleep 0.6; done");
    assertEquals([...shares], [25, 50, 75]);
    client.close();
  });
});

/** Runs a line of bash, where `$DENO` is Deno. A pipe ends with the code of who fails in it. */
async function shell(
  line: string,
  url: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", `set -o pipefail; ${line}`],
    cwd: ROOT,
    clearEnv: true,
    env: { ...environment(), TASKWIRE_URL: url, DENO: Deno.execPath() },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
