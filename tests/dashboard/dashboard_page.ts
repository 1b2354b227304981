import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { browserBinary } from "../browsers/browser_binary.ts";

/** The dashboard of a gateway, open in a Chromium of its own. Disposing it ends the browser. */
export type DashboardPage = AsyncDisposable & {
  readonly page: Page;
  readonly browser: Browser;
  /** What the page complained of: exceptions that nobody caught, `console.error`, what its policy forbade. */
  readonly complaints: string[];
  /** What it asked of others than the gateway. */
  readonly foreign: string[];
};

/** Whose dashboard it is: their screen, their language, and by how much their clock is wrong, ms. */
export type Reader = BrowserContextOptions & { readonly clockAheadMs?: number };

/** Opens the dashboard that `url` serves, for such a reader. */
export async function openDashboard(
  url: string,
  { clockAheadMs = 0, ...options }: Reader = {},
): Promise<DashboardPage> {
  const executablePath = await browserBinary("chromium");
  const browser = await chromium.launch({ executablePath, chromiumSandbox: Deno.uid() !== 0 });
  try {
    const context = await browser.newContext({
      viewport: { width: 1_200, height: 760 },
      locale: "en-GB",
      colorScheme: "light",
      ...options,
    });
    if (clockAheadMs !== 0) await context.addInitScript(`(${shiftClock})(${clockAheadMs})`);
    const page = await context.newPage();
    const complaints: string[] = [];
    const foreign: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== new URL(url).origin && protocol !== "data:") foreign.push(request.url());
    });
    await page.goto(url);
    return { page, browser, complaints, foreign, [Symbol.asyncDispose]: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

/** Sets the clock of a page; what has elapsed is measured by another, which goes on. */
function shiftClock(aheadMs: number): void {
  const { now } = Date;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args) => Reflect.construct(target, args.length === 0 ? [target.now()] : args),
  });
  Date.now = () => now() + aheadMs;
}

/** What axe-core finds wrong with the page as it is, where it is serious: the rule, and where. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  // Through the debugger, since the page's policy lets no script in.
  await page.evaluate(`${axe.source}; undefined`);
  const found: unknown = await page.evaluate(`axe.run(document, { resultTypes: ["violations"] }).then(
    ({ violations }) => violations.filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ": " + target.join(" "))))`);
  return Array.isArray(found) ? found.map(String) : [String(found)];
}
