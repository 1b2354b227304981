import type { Asset } from "./assets.ts";

/**
 * What the page may do: run our code, wear our style, ask this gateway (its WebSocket too, which is of the same host).
 * Nothing inline, nothing of others, in nobody's frame.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** The dashboard's files, below the project's folder. */
const FILES = [
  { path: "/", file: "src/dashboard/index.html", contentType: "text/html; charset=utf-8" },
  { path: "/dashboard.css", file: "src/dashboard/style.css", contentType: "text/css; charset=utf-8" },
  {
    path: "/dashboard.js",
    file: "src/http/bundles/dashboard.js",
    contentType: "text/javascript; charset=utf-8",
  },
] as const;

/** Reads the dashboard from the project's folder. Rejects, naming the file, where one is not there. */
export async function readDashboard(root: URL): Promise<readonly Asset[]> {
  const assets: Asset[] = [];
  for (const { path, file, contentType } of FILES) {
    const body = await Deno.readFile(new URL(file, root)).catch((cause) => {
      throw new Error(`Cannot read ${file}; deno task bundle makes what lies in src/http/bundles/`, {
        cause,
      });
    });
    assets.push({ path, contentType, body, headers: HEADERS });
  }
  return assets;
}
