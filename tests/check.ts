/**
 * `deno task test`: format, lint, types, advisories about packages where the registry is in reach, every test, and what
 * the tests cover, up to the first that fails. With arguments it is a quick run of `deno test` with them: paths,
 * `--filter`. The last line counts the tests.
 */
import { browserBinary } from "./browsers/browser_binary.ts";
import { OPERATORS_PROGRAMS, operatorsProgram } from "./deploy/binaries.ts";
import { fakeTimeLibrary } from "./faults/set_clock.ts";
import { natsServerBinary } from "./nats_server_binary.ts";
import { redisServerBinary } from "./redis_server.ts";
import { AUDIT, audited } from "./supply_chain/advisories.ts";

type Step = { readonly title: string; readonly args: readonly string[] };

type Counts = { readonly passed: number; readonly failed: number };

const ROOT = new URL("../", import.meta.url);

const BEFORE: readonly Step[] = [
  { title: "Format", args: ["fmt", "--check"] },
  { title: "Lint", args: ["lint"] },
  { title: "Types", args: ["check"] },
];

/**
 * Begun before the others, since they take longest (20 to 60 s): one of them that began last would have every other
 * worker wait for it.
 */
const LONGEST = [
  "browsers/conformance",
  "client/bad_network",
  "simulation/simulation",
  "dashboard/chromium",
  "gateway/stream",
  "log/jetstream_log",
  "deploy/alerts",
  "gateway/crash",
  "gateway/quick_start",
  "hostile/frames",
  "dashboard/traffic_lines",
  "cli/commands",
  "browsers/bundle",
  "log/jetstream_faults",
  "cli/run",
  "fuzz/fuzz",
].map((name) => `tests/${name}_test.ts`);

/** More at once than there are cores: most of a test's time it waits for processes, sockets and deadlines. */
const JOBS = String(navigator.hardwareConcurrency + 1);

const encoder = new TextEncoder();

let interrupted = false;
let running: Deno.ChildProcess | undefined;

/** Prints a line; the one place that writes. */
function print(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

/** Runs Deno with these arguments and lets it print; whether it went well. */
async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<boolean> {
  if (interrupted) return false;
  running = new Deno.Command(Deno.execPath(), { args: [...args], env, cwd: ROOT, stdin: "null" }).spawn();
  const { success } = await running.status;
  running = undefined;
  return success && !interrupted;
}

/** Where there is a deno.lock: ours, and that of the queue which adapters are tried with. */
const LOCKED = [ROOT, new URL("tests/adapters/bullmq/", ROOT)];

/** Whether no package has an advisory, or nobody could be asked. */
async function auditPasses(): Promise<boolean> {
  for (const cwd of LOCKED) {
    if (interrupted) return false;
    const { kind, says } = await audited({ cwd, started: (child) => void (running = child) });
    running = undefined;
    print(says);
    if (kind === "found") return false;
  }
  return !interrupted;
}

/** A child that is told to stop ends by itself, and then so do we, having cleaned up. */
function passOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      interrupted = true;
      running?.kill(signal);
    });
  }
}

/** Where everything of this run lies that is to be gone after it. */
type Scratch = { readonly junit: string; readonly coverage: string; readonly temp: string };

/** How what the tests need is found, or fetched, by the variable that then names it. */
const PROGRAMS: readonly (readonly [variable: string, find: () => Promise<string>])[] = [
  ["NATS_SERVER", natsServerBinary],
  ["LIBFAKETIME", fakeTimeLibrary],
  ["REDIS_SERVER", redisServerBinary],
  ["CHROMIUM", () => browserBinary("chromium")],
  ["FIREFOX", () => browserBinary("firefox")],
  ...OPERATORS_PROGRAMS.map((variable) => [variable, () => operatorsProgram(variable)] as const),
];

/**
 * What the tests run with: temporary files where we see what is left of them, coverage where child processes add
 * theirs, and one nats-server and Redis (and, for all tests, one browser and proxy of each kind, and Prometheus) for all, outside
 * of what is removed. Without one, the tests that need it say so.
 */
async function environment(scratch: Scratch, all: boolean): Promise<Record<string, string>> {
  const env: Record<string, string> = { TMPDIR: scratch.temp, DENO_JOBS: Deno.env.get("DENO_JOBS") ?? JOBS };
  if (all) env["DENO_COVERAGE_DIR"] = scratch.coverage;
  for (const [variable, find] of all ? PROGRAMS : PROGRAMS.slice(0, 3)) {
    const program = await find().catch(() => undefined);
    if (program !== undefined) env[variable] = program;
  }
  return env;
}

/** Runs the tests and counts them. */
async function test(args: readonly string[], scratch: Scratch, all: boolean): Promise<Counts> {
  const env = await environment(scratch, all);
  const success = await run(
    ["test", "-P=test", "--parallel", `--junit-path=${scratch.junit}`, ...args],
    env,
  );
  const { passed, failed } = counted(await Deno.readTextFile(scratch.junit).catch(() => ""));
  // Whatever else failed than a test (a module that does not load, say) counts as one.
  return { passed, failed: success ? failed : Math.max(1, failed) };
}

/** Counts the tests of a JUnit report; steps, whose names begin with their test's, are parts of their test. */
function counted(junit: string): Counts {
  let [passed, failed] = [0, 0];
  for (const [suite] of junit.matchAll(/<testsuite [\s\S]*?<\/testsuite>/g)) {
    const cases = [...suite.matchAll(/<testcase name="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g)]
      .map(([, name = "", outcome = ""]) => ({ name, outcome }));
    for (const { name, outcome } of cases) {
      if (cases.some((other) => name.startsWith(`${other.name} &gt; `))) continue;
      if (/<(failure|error)\b/.test(outcome)) failed++;
      else if (!outcome.includes("<skipped/>")) passed++;
    }
  }
  return { passed, failed };
}

/** What the tests left behind: processes (where `/proc` tells) and temporary files. */
async function leftovers(temp: string): Promise<string[]> {
  const left: string[] = [];
  for await (const { name } of Deno.readDir(temp)) left.push(`temporary file ${name}`);
  const processes = await Array.fromAsync(Deno.readDir("/proc")).catch(() => []);
  for (const { name } of processes) {
    if (!/^\d+$/.test(name)) continue;
    const [environ, command] = await Promise.all(
      ["environ", "cmdline"].map((file) => Deno.readTextFile(`/proc/${name}/${file}`).catch(() => "")),
    );
    if (environ?.includes(`TMPDIR=${temp}\0`)) {
      left.push(`process ${name}: ${command?.replaceAll("\0", " ")}`);
    }
  }
  return left;
}

/** What is left after a moment in which processes that were told to end may do so. */
async function leftAtLast(temp: string): Promise<string[]> {
  for (let tries = 0; tries < 20; tries++) {
    if ((await leftovers(temp)).length === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return await leftovers(temp);
}

/** Everything, in order, up to the first that fails. */
async function checkAll(scratch: Scratch): Promise<Counts> {
  for (const { title, args } of BEFORE) {
    print(`\n== ${title}: deno ${args.join(" ")}`);
    if (!(await run(args))) return failure(title, { passed: 0, failed: 0 });
  }
  print(`\n== Advisories: deno ${AUDIT.join(" ")}`);
  if (!(await auditPasses())) return failure("Advisories", { passed: 0, failed: 0 });
  print("\n== Tests");
  const counts = await test(["--no-check", ...LONGEST, "tests/"], scratch, true);
  if (counts.failed > 0) return failure("Tests", counts, 0);
  const left = await leftAtLast(scratch.temp);
  if (left.length > 0) return failure(`Tests left behind\n  ${left.join("\n  ")}`, counts);
  print("\n== Coverage: at least the lines that deno.json asks for");
  const ours = `--include=^${escaped(ROOT.href)}(src/|main\\.ts$)`;
  return await run(["coverage", ours, scratch.coverage]) ? counts : failure("Coverage", counts);
}

/** Names what failed, and counts it where no test did. */
function failure(title: string, counts: Counts, also = 1): Counts {
  print(interrupted ? "\n== Interrupted" : `\n== FAILED: ${title}`);
  return { ...counts, failed: counts.failed + also };
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

async function main(args: readonly string[]): Promise<number> {
  passOnSignals();
  const folder = await Deno.makeTempDir({ prefix: "taskwire-check-" });
  const scratch = { junit: `${folder}/junit.xml`, coverage: `${folder}/coverage`, temp: `${folder}/temp` };
  try {
    await Deno.mkdir(scratch.temp);
    const { passed, failed } = args.length > 0 ? await test(args, scratch, false) : await checkAll(scratch);
    print(`\n${passed} passed, ${failed} failed`);
    return failed > 0 ? 1 : 0;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.exit(await main(Deno.args));
