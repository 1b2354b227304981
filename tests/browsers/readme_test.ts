import { assertEquals } from "@std/assert";
import { PUBLIC } from "../../deploy/bundle.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { fence } from "../readme.ts";
import { eventually } from "../eventually.ts";
import { type BrowserPage, openPage } from "./browser_page.ts";

/** What the README's components are tried with. */
const FRAMEWORKS = {
  "react": "npm:react@19.3.1",
  "react-dom": "npm:react-dom@19.3.1",
  "svelte": "npm:svelte@5.57.3",
  "vue": "npm:vue@3.5.45",
} as const;

/** Runs `use` in Chromium on a page with this body, sent by another server than the gateway. */
async function onPage(
  body: (gateway: GatewayProcess) => Promise<string>,
  use: (page: BrowserPage, gateway: GatewayProcess) => Promise<void>,
): Promise<void> {
  const site: { html: string } = { html: "" };
  const headers = { "content-type": "text/html; charset=utf-8" };
  await using http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(site.html, { headers }),
  );
  const url = `http://127.0.0.1:${http.addr.port}`;
  await withGateway({ settings: { ALLOWED_ORIGINS: url } }, async (gateway) => {
    site.html = `<!doctype html><title>README</title><link rel="icon" href="data:,">${await body(gateway)}`;
    await gateway.post("job1", { kind: "progress", total: 10, completed: 3 });
    await using page = await openPage("chromium", url);
    await use(page, gateway);
    assertEquals(page.complaints, []);
  });
}

function at(code: string, { port }: GatewayProcess): string {
  return code.replaceAll("127.0.0.1:8000", `127.0.0.1:${port}`);
}

async function shows(page: BrowserPage, lines: readonly string[]): Promise<void> {
  let shown = "";
  await eventually(`the page shows ${lines.join(", ")}`, async () => {
    shown = await page.text();
    return shown.split("\n").filter((line) => line !== "").join("\n") === lines.join("\n");
  }, 20_000).catch((error) => {
    throw new Error(`it shows ${shown}; ${page.complaints.join("; ")}`, { cause: error });
  });
}

Deno.test({
  name: "the README's page runs as pasted, and moves",
  // The driver keeps timers and pipes for a moment after the browser has gone.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await onPage((gateway) => Promise.resolve(at(fence("html browser"), gateway)), async (page, gateway) => {
      await shows(page, ["running 30 %"]);
      await gateway.post("job1", { kind: "completed", progress: { completed: 10 } });
      await shows(page, ["completed 100 %"]);
    });
  },
});

/** The README's components, compiled by their own compilers and bundled into one script. */
async function components(gateway: GatewayProcess): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-readme-" });
  const deno = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    if (!success) throw new Error(`deno ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  };
  const files: Readonly<Record<string, string>> = {
    "deno.json": JSON.stringify({
      imports: FRAMEWORKS,
      compilerOptions: { jsx: "react-jsx", jsxImportSource: "react" },
    }),
    "client.js": await Deno.readTextFile(new URL("client.js", PUBLIC)),
    "react_task.jsx": at(fence("jsx react"), gateway),
    "task.svelte": at(fence("svelte svelte"), gateway),
    "task.vue": at(fence("vue vue"), gateway),
    "compile.ts": COMPILE,
    "page.jsx": PAGE,
  };
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await deno("run", "--no-lock", "-A", "compile.ts");
    await deno("bundle", "--no-lock", "--platform=browser", "--minify", "--output=page.js", "page.jsx");
    const script = (await Deno.readTextFile(`${folder}/page.js`)).replaceAll("</script", "<\\/script");
    return `<div id="react"></div><div id="svelte"></div><div id="vue"></div><script type="module">${script}</script>`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const COMPILE = `import { compile } from "svelte/compiler";
import { compileScript, parse } from "vue/compiler-sfc";

const { js } = compile(Deno.readTextFileSync("task.svelte"), { generate: "client" });
Deno.writeTextFileSync("svelte_task.js", js.code);
const { descriptor } = parse(Deno.readTextFileSync("task.vue"));
const { content } = compileScript(descriptor, { id: "task", inlineTemplate: true });
Deno.writeTextFileSync("vue_task.js", content);
`;

const PAGE = `import { createRoot } from "react-dom/client";
import { mount } from "svelte";
import { createApp } from "vue";
import { Task } from "./react_task.jsx";
import SvelteTask from "./svelte_task.js";
import VueTask from "./vue_task.js";

createRoot(document.querySelector("#react")).render(<Task id="job1" />);
mount(SvelteTask, { target: document.querySelector("#svelte") });
createApp(VueTask).mount("#vue");
`;

Deno.test({
  name: "the README's components for React, Svelte and Vue run as pasted, and move",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await onPage(components, async (page, gateway) => {
      await shows(page, Array(3).fill("running 30 %"));
      await gateway.post("job1", { kind: "completed", progress: { completed: 10 } });
      await shows(page, Array(3).fill("completed 100 %"));
    });
  },
});
