const POLL_MS = 100;
const START_MS = 60_000;

/** A gateway that serves; disposing stops it if it was started here. */
export type RunningGateway = AsyncDisposable & { readonly url: string; readonly startedHere: boolean };

/** The gateway at `url`, started as `deno task start` would, with these settings beside those of the environment, if none answers. */
export async function runningGateway(
  url: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningGateway> {
  if (await isReady(url)) return { url, startedHere: false, [Symbol.asyncDispose]: () => Promise.resolve() };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-P", "main.ts"],
    env: settings,
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let exited = false;
  const status = child.status.then((ended) => {
    exited = true;
    return ended;
  });
  for (const deadline = Date.now() + START_MS; !(await isReady(url));) {
    if (exited) throw new Error(`The gateway ended with code ${(await status).code}; see above`);
    if (Date.now() > deadline) throw new Error(`No gateway is ready at ${url} after ${START_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return {
    url,
    startedHere: true,
    async [Symbol.asyncDispose]() {
      if (!exited) child.kill("SIGTERM");
      await status;
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
