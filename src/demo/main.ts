/** `deno task demo [folder]`: real work on real files, watched over a WebSocket in the way of every browser. */
import { connectWorker } from "../worker/task_reporter.ts";
import { runningGateway } from "./running_gateway.ts";
import { Screen } from "./screen.ts";
import { filesBelow, workOn } from "./work.ts";

const CAUGHT_UP_MS = 10_000;
/** How long the last frames may take to arrive. */
const LAST_FRAMES_MS = 5_000;

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** Watches the tasks with `tag`; resolves once the gateway has confirmed. */
async function watch(url: string, tag: string, screen: Screen): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws/task?topics=task:tag:${tag}`);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error("the gateway did not confirm the subscription")),
      CAUGHT_UP_MS,
    );
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
    socket.onmessage = ({ data }) => {
      screen.show(data);
      if (JSON.parse(data).type !== "caught_up") return;
      clearTimeout(timer);
      resolve();
    };
  });
  return socket;
}

/** Runs the demo; what it started is stopped again, by a signal too. */
async function demo(): Promise<void> {
  const root = Deno.args[0] ?? new URL("../../", import.meta.url).pathname.replace(/\/$/, "");
  const host = Deno.env.get("HOST") ?? "127.0.0.1";
  const port = Deno.env.get("PORT") ?? "8000";
  const runId = Date.now().toString(36);
  await using gateway = await runningGateway(`http://${host}:${port}`);
  print(`${gateway.startedHere ? "Started a gateway" : "Found a gateway"} at ${gateway.url}\n`);
  const files = await filesBelow(root);
  const scratch = await Deno.makeTempDir({ prefix: "taskwire-demo-" });
  const clean = () => Deno.remove(scratch, { recursive: true });
  Deno.addSignalListener("SIGINT", () => {
    void Promise.allSettled([gateway[Symbol.asyncDispose](), clean()]).then(() => Deno.exit(130));
  });
  print(`Working on ${files.length} files below ${root}; watching task:tag:demo-${runId}\n\n`);
  const columns = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
  const screen = new Screen(print, columns);
  const socket = await watch(gateway.url, `demo-${runId}`, screen);
  try {
    await using worker = await connectWorker(gateway.url, { progressIntervalMs: 200 });
    await workOn(worker, { files, root, scratch }, runId);
  } finally {
    await clean();
  }
  for (const deadline = Date.now() + LAST_FRAMES_MS; !screen.allEnded && Date.now() < deadline;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  socket.close();
  const again = gateway.startedHere ? "`deno task start` and then " : "";
  print(`\nThe history stays: ${again}curl '${gateway.url}/api/tasks/verify-${runId}/events'\n`);
}

if (import.meta.main) {
  try {
    await demo();
    Deno.exit(0);
  } catch (error) {
    print(`${error instanceof Error ? error.message : error}\n`);
    Deno.exit(1);
  }
}
