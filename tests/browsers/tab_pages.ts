import { type Browser, chromium, type Page } from "playwright-core";
import puppeteer from "puppeteer-core";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { browserBinary, type BrowserName } from "./browser_binary.ts";

/** A tab of a browser, with a page that shares its connection with the others and watches one task. */
export type SharingTab = {
  /** What an expression comes to there. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
  /** Ends its process; the others go on. */
  readonly crash: () => Promise<void>;
};

/** What tabs are tried with. */
export type Trial = {
  readonly gateway: GatewayProcess;
  /** Opens another tab of the same browser. */
  readonly open: () => Promise<SharingTab>;
};

/** What is watched there, as variables of the page. */
function page({ url }: GatewayProcess): string {
  return `<!doctype html><title>Tab</title><link rel="icon" href="data:,"><script type="module">
    import { connect } from "${url}/client.js";
    import { shareTabs } from "${url}/tabs.js";
    const client = connect("${url}", { tabs: shareTabs(), firstWaitMs: 50 });
    const told = [];
    Object.assign(window, { client, told, isLive: false });
    client.subscribe("task:id:job1:status", (frame) => frame.type === "task_status" && told.push(frame.data.status), {
      onLive: (isLive) => window.isLive = isLive,
    });
  </script>`;
}

/** Runs `use` with a gateway, and a page of another server which browsers open in tabs. */
export async function withTabs(name: BrowserName, use: (trial: Trial) => Promise<void>): Promise<void> {
  const site = { html: "" };
  const headers = { "content-type": "text/html; charset=utf-8" };
  await using http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(site.html, { headers }),
  );
  const url = `http://127.0.0.1:${http.addr.port}`;
  await withGateway({ settings: { ALLOWED_ORIGINS: url } }, async (gateway) => {
    site.html = page(gateway);
    await using browser = await browserOf(name, url);
    await use({ gateway, open: browser.open });
  });
}

/** A browser without a window, whose tabs all have the same page. */
type Tabs = AsyncDisposable & { readonly open: Trial["open"] };

/** Starts a browser for tabs of this page. */
export async function browserOf(name: BrowserName, url: string): Promise<Tabs> {
  const executablePath = await browserBinary(name);
  return name === "chromium" ? await inChromium(executablePath, url) : await inFirefox(executablePath, url);
}

async function inChromium(executablePath: string, url: string): Promise<Tabs> {
  // Tabs of one site would share a process, and all of them crash with it.
  const args = ["--process-per-tab", "--disable-features=ProcessPerSiteUpToMainFrameThreshold"];
  const browser: Browser = await chromium.launch({ executablePath, args, chromiumSandbox: Deno.uid() !== 0 });
  const context = await browser.newContext();
  return {
    [Symbol.asyncDispose]: () => browser.close(),
    async open() {
      const page: Page = await context.newPage();
      await page.goto(url);
      return {
        evaluate: async (expression) => await page.evaluate(expression),
        close: () => page.close(),
        async crash() {
          const crashed = page.waitForEvent("crash");
          // It never answers.
          page.goto("chrome://crash").catch(() => {});
          await crashed;
        },
      };
    },
  };
}

async function inFirefox(executablePath: string, url: string): Promise<Tabs> {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
  return {
    [Symbol.asyncDispose]: () => browser.close(),
    async open() {
      const page = await browser.newPage();
      await page.goto(url);
      return {
        evaluate: async (expression) => await page.evaluate(expression),
        close: () => page.close(),
        crash: () => Promise.reject(new Error("there is no way to crash a tab of Firefox from outside")),
      };
    },
  };
}
