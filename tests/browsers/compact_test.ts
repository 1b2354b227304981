import { assertEquals } from "@std/assert";
import { PUBLIC } from "../../deploy/bundle.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";
import { openPage } from "./browser_page.ts";

const STEPS = 5;

/** A page that shows what was agreed on, how messages came, and what the client heard. */
function page(gateway: string): string {
  return `<!doctype html><title>Compact</title><link rel="icon" href="data:,"><body><script type="module">
    import { connect } from "./client.js";
    import { compact } from "./compact.js";
    const came = new Set();
    let agreed;
    class Noting extends WebSocket {
      constructor(...how) {
        super(...how);
        this.addEventListener("open", () => agreed = [this.protocol, this.extensions.split(";")[0]]);
        this.addEventListener("message", ({ data }) => came.add(typeof data));
      }
    }
    const heard = [];
    connect("${gateway}", { WebSocket: compact({ WebSocket: Noting }) }).subscribe("task:progress", (frame) => {
      if (frame.type !== "task_progress") return;
      const { completed, total, current } = frame.data.progress;
      heard.push([completed, total, current.length].join("/"));
      document.body.innerText = [...agreed, ...came, ...heard].join(" ");
    }, { onLive: () => document.body.innerText = "live" });
  </script>`;
}

Deno.test({
  name: "in Chromium messages come compressed, in CBOR, and what changed of progress is heard whole",
  // The browser's driver keeps timers and pipes for a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using live = await LiveGateway.start({ ALLOWED_ORIGINS: "*" });
    await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname } = new URL(request.url);
      const [body, type] = pathname === "/"
        ? [page(live.url()), "text/html; charset=utf-8"]
        : [await Deno.readTextFile(new URL(`.${pathname}`, PUBLIC)), "text/javascript; charset=utf-8"];
      return new Response(body, { headers: { "content-type": type } });
    });
    await using shown = await openPage("chromium", `http://127.0.0.1:${site.addr.port}/`);
    await eventually("the page is live", async () => await shown.text() === "live");
    const current = "处理 BTCUSDT ".repeat(60);
    const heard: string[] = [];
    for (let completed = 1; completed <= STEPS; completed++) {
      await live.append(eventOf("job", "progress", { completed, total: 10, current }));
      heard.push(`${completed}/10/${current.length}`);
      await eventually("it is heard", async () => (await shown.text()).endsWith(heard.at(-1) ?? ""));
    }
    assertEquals(
      await shown.text(),
      ["taskwire.v1.cbor", "permessage-deflate", "object", ...heard].join(" "),
    );
    assertEquals(shown.complaints, []);
  },
});
