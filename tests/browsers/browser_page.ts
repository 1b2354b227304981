import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";
import { browserBinary, type BrowserName } from "./browser_binary.ts";

/** A page in a browser of its own, without a window. Disposing it ends the browser. */
export interface BrowserPage extends AsyncDisposable {
  /** What the page complained of: exceptions that nobody caught, and what went to `console.error`. */
  readonly complaints: readonly string[];
  /** What it shows, as text. */
  text(): Promise<string>;
}

/** Opens `url` in that browser. Rejects where there is no such browser, with how to get it. */
export async function openPage(name: BrowserName, url: string): Promise<BrowserPage> {
  const executablePath = await browserBinary(name);
  return name === "chromium" ? await inChromium(executablePath, url) : await inFirefox(executablePath, url);
}

// The two drivers look alike, and have no type in common.

async function inChromium(executablePath: string, url: string): Promise<BrowserPage> {
  const browser = await chromium.launch({ executablePath, chromiumSandbox: Deno.uid() !== 0 });
  const complaints: string[] = [];
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto(url);
    const text = async () => String(await page.evaluate("document.body.innerText"));
    return { complaints, text, [Symbol.asyncDispose]: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function inFirefox(executablePath: string, url: string): Promise<BrowserPage> {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
  const complaints: string[] = [];
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto(url);
    const text = async () => String(await page.evaluate("document.body.innerText"));
    return { complaints, text, [Symbol.asyncDispose]: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}
