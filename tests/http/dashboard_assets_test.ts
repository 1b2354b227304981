import { assert, assertEquals, assertRejects } from "@std/assert";
import { readDashboard } from "../../src/http/dashboard_assets.ts";
import { FakeGateway } from "./fake_gateway.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("the dashboard is a page with its script and style, which may do nothing but ask this gateway", async () => {
  const app = new FakeGateway().app({ assets: await readDashboard(ROOT) });
  const types = { "/": "text/html", "/dashboard.css": "text/css", "/dashboard.js": "text/javascript" };
  for (const [path, type] of Object.entries(types)) {
    const response = await app.request(path);
    assertEquals([response.status, response.headers.get("content-type")], [200, `${type}; charset=utf-8`]);
    const policy = response.headers.get("content-security-policy")?.split("; ") ?? [];
    for (
      const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"]
    ) {
      assert(policy.includes(rule), rule);
    }
    assert(!policy.join().includes("unsafe"));
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
    await response.body?.cancel();
  }
});

Deno.test("the page has no script, style or address of others in it", async () => {
  const html = await (await new FakeGateway().app({ assets: await readDashboard(ROOT) }).request("/")).text();
  assertEquals(html.match(/<script(?![^>]*\bsrc=)[^>]*>/g), null);
  assertEquals(html.match(/<style|\bstyle=|\bon\w+=/g), null);
  assertEquals(html.match(/(?:src|href)="(?:https?:)?\/\//g), null);
});

Deno.test("a dashboard that was not bundled is named, with what makes it", async () => {
  const error = await assertRejects(() => readDashboard(new URL("./no/", import.meta.url)), Error);
  assert(error.message.includes("deno task bundle"), error.message);
});
