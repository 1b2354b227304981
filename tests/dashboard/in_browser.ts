import { assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import type { DashboardPage } from "./dashboard_page.ts";

/** What a test of the dashboard has: a real nats-server, and a gateway on it. */
export type World = { readonly nats: NatsServer; readonly gateway: GatewayProcess };

/** A test with these. The browser's driver keeps timers and pipes for a moment. */
export function inBrowser(
  name: string,
  run: (world: World) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using nats = await startNatsServer();
      await withGateway(
        { settings: { NATS_URL: nats.url, ...settings } },
        (gateway) => run({ nats, gateway }),
      );
    },
  });
}

/** Nothing went wrong in the page, and it asked nothing of anybody else. */
export function assertQuiet({ complaints, foreign }: DashboardPage): void {
  assertEquals([complaints, foreign], [[], []]);
}

/** The row of a task in the list, as a selector. */
export const row = (id: string): string => `[data-task="${id}"]`;

/** What the bar in a task's row says. */
export async function percentage(page: Page, id: string): Promise<number> {
  return Number(await page.getAttribute(`${row(id)} [role=progressbar]`, "aria-valuenow"));
}

/** What the badge of the connection says. */
export async function badge(page: Page): Promise<string | null> {
  return await page.getAttribute("[data-badge]", "data-badge");
}

/** The status that the task page, or a row, shows. */
export async function status(page: Page, within: string): Promise<string | null> {
  return await page.getAttribute(`${within} [data-status]`, "data-status");
}
