import { assertEquals } from "@std/assert";
import { bundle, PUBLIC } from "../../deploy/bundle.ts";
import { onPath } from "../programs.ts";
import { bunBinary } from "./bun_binary.ts";
import { openPage } from "./browser_page.ts";
import { CHECKS } from "./checks.ts";
import type { Outcome } from "./conformance.ts";
import { type ConformanceHost, withConformanceHost } from "./conformance_host.ts";

/** The most that all checks may take together, on a machine that has much else to do, ms. */
const ALL_MS = 180_000;

/** All is well when each check ran and found nothing. */
function assertConforms(outcomes: readonly Outcome[]): void {
  assertEquals(outcomes.filter(({ problem }) => problem !== undefined), []);
  assertEquals(outcomes.map(({ name }) => name), CHECKS.map(([name]) => name));
}

/** What the checks came to, or an error that says what `complaints` there were meanwhile. */
async function inTime(host: ConformanceHost, complaints: readonly string[]): Promise<readonly Outcome[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`not within ${ALL_MS} ms; ${complaints.join("; ")}`)),
    ALL_MS,
  );
  try {
    return await Promise.race([host.outcomes, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

for (const browser of ["chromium", "firefox"] as const) {
  Deno.test({
    name: `the client does in ${browser} what a client must do`,
    // Their drivers keep timers and pipes for a moment after the browser has gone.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await withConformanceHost(async (host) => {
        await using page = await openPage(browser, host.pageUrl);
        assertConforms(await inTime(host, page.complaints));
      });
    },
  });
}

/** Runs the checks as a program of `command`, which must end by itself when they are over. */
async function inRuntime(command: readonly [string, ...string[]]): Promise<void> {
  await withConformanceHost(async (host) => {
    const folder = await Deno.makeTempDir({ prefix: "taskwire-runtime-" });
    try {
      const [program, ...args] = command;
      const child = new Deno.Command(program, {
        args: [...args, await written(folder, host)],
        cwd: folder,
        env: { NO_COLOR: "1" },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
        signal: AbortSignal.timeout(ALL_MS),
      });
      const { code, stderr } = await child.output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      assertConforms(await host.outcomes);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** The program's file. Who has no WebSocket of its own gets that of the package `ws`, bundled. */
async function written(folder: string, { url, gatewayUrl, module }: ConformanceHost): Promise<string> {
  const client = await (await fetch(`${gatewayUrl}/client.js`)).text();
  await Deno.writeTextFile(`${folder}/client.mjs`, client);
  await Deno.writeTextFile(`${folder}/conformance.mjs`, module);
  await bundle(new URL("ws_socket.ts", import.meta.url), new URL(`file://${folder}/ws.mjs`), {
    platform: "deno",
    minify: false,
  });
  const program = `import { connect } from "./client.mjs";
import { runChecks } from "./conformance.mjs";
const WebSocket = globalThis.WebSocket ?? (await import("./ws.mjs")).default;
const [host, gateway] = ${JSON.stringify([url, gatewayUrl])};
const outcomes = await runChecks({ connect, gateway, host, WebSocket });
const response = await fetch(host + "/outcomes", { method: "POST", body: JSON.stringify(outcomes) });
await response.text();
`;
  await Deno.writeTextFile(`${folder}/program.mjs`, program);
  return `${folder}/program.mjs`;
}

Deno.test("the client does in Deno what a client must do, with nothing but the network allowed", async () => {
  await inRuntime([Deno.execPath(), "run", "--no-config", "--no-lock", "--allow-net=127.0.0.1"]);
});

const node = onPath(["node"]);

Deno.test({
  name: "the client does in Node what a client must do",
  ignore: node === undefined,
  fn: () => inRuntime([node ?? "node"]),
});

const bun = await bunBinary();

Deno.test({
  name: `the client does in Bun what a client must do${
    "missing" in bun ? ` (left out: ${bun.missing})` : ""
  }`,
  ignore: "missing" in bun,
  fn: () => inRuntime(["path" in bun ? bun.path : "bun"]),
});

Deno.test("the page runs the client that is served, and that is the one that was bundled", async () => {
  await withConformanceHost(async ({ gatewayUrl }) => {
    for (const name of ["client.js", "client.d.ts"]) {
      const served = await (await fetch(`${gatewayUrl}/${name}`)).text();
      assertEquals(served, await Deno.readTextFile(new URL(name, PUBLIC)));
    }
  });
});
