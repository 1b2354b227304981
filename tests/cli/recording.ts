/** Makes the README's recording of the command line, `src/cli/pictures/watch.svg`: `deno run -A tests/cli/recording.ts`. */
import { withGateway } from "../gateway/gateway_process.ts";
import { animatedSvg } from "./animated_svg.ts";
import { environment } from "./cli_process.ts";
import { paced, seenOf, type Told } from "./terminal.ts";

const ROOT = new URL("../../", import.meta.url);
const FOLDER = new URL("src/cli/pictures/", ROOT);
const SIZE = { columns: 100, rows: 9 };
/** Between two frames; of a silence, the most that is kept; of the end, so long it stays: ms. */
const [STEP_MS, LONGEST_MS, HOLD_MS] = [250, 1_000, 4_000];
/** Where what is shown to those who want nothing to move lies: all tasks are under way there. */
const STILL = 0.4;
/** GitHub shows larger pictures too, but nobody should have to wait for one. */
const MAX_BYTES = 60_000;

/** What is typed. */
const COMMANDS = [
  `cli run import -- sh -c 'for i in $(seq 30); do echo $i/30 $i.csv; sleep .3; done' >/dev/null &`,
  `cli run thumbs -- sh -c 'for i in $(seq 4 4 100); do echo $i%; sleep .3; done' >/dev/null &`,
  `cli run backup -- sh -c 'for i in 1 2 3 4 5 6; do echo $i/9; sleep 1; done; exit 3' >/dev/null &`,
  `cli watch --until-ended`,
];

/** Shows each command as a shell does that somebody types into, and runs it. */
function shellScript(): string {
  return [
    `stty cols ${SIZE.columns} rows ${SIZE.rows}`,
    `cli() { "${Deno.execPath()}" run -qA src/cli/main.ts "$@"; }`,
    ...COMMANDS.flatMap((command) => [`cat <<'END'\n$ ${command}\nEND`, command, "sleep .4"]),
  ].join("\n");
}

async function recorded(url: string): Promise<readonly Told[]> {
  const { NO_COLOR: _, ...env } = environment();
  const child = new Deno.Command("script", {
    args: ["-qfec", shellScript(), "/dev/null"],
    cwd: ROOT,
    env: { ...env, TASKWIRE_URL: url, TERM: "xterm-256color", SHELL: "/bin/sh" },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const told: Told[] = [];
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    told.push({ atMs: Math.round(performance.now()), text });
  }
  await child.stdin.close();
  await child.status;
  return told;
}

await withGateway({}, async ({ url }) => {
  const seen = paced(seenOf(await recorded(url), SIZE), STEP_MS, LONGEST_MS);
  const title = "Three programs run as tasks, and watched until they have ended";
  const svg = animatedSvg(seen, { size: SIZE, holdMs: HOLD_MS, still: STILL, title });
  const bytes = new TextEncoder().encode(svg);
  if (bytes.length > MAX_BYTES) throw new Error(`${bytes.length} bytes are more than ${MAX_BYTES}`);
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeFile(new URL("watch.svg", FOLDER), bytes);
});
