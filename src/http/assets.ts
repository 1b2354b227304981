import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Context, Hono } from "hono";

/** A file of ours that anybody may have as it is. */
export type Asset = {
  /** Where it is served, such as `/client.js`. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** What else is said with it. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** The client's code is public, so the pages of any site may load it; what it may then ask for is another matter. */
export const PUBLIC_CODE = {
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
} as const;

/** The client as browsers load it, what goes with it, and the types of each, which Deno finds by that header. */
const CLIENT_FILES = ["client", "tabs", "decrypt", "compact"].flatMap((name) => [
  {
    name: `${name}.js`,
    contentType: "text/javascript; charset=utf-8",
    headers: { ...PUBLIC_CODE, "x-typescript-types": `./${name}.d.ts` },
  },
  // Not `video/mp2t`, which some tables have for `.ts`.
  { name: `${name}.d.ts`, contentType: "application/typescript; charset=utf-8", headers: PUBLIC_CODE },
]);

/** Reads the bundled client from `folder`. Rejects, naming the file, where it is not there. */
export async function readClient(folder: URL): Promise<readonly Asset[]> {
  const assets: Asset[] = [];
  for (const { name, contentType, headers } of CLIENT_FILES) {
    const file = new URL(name, folder);
    const body = await Deno.readFile(file).catch((cause) => {
      throw new Error(`Cannot read ${file}; deno task bundle makes it`, { cause });
    });
    assets.push({ path: `/${name}`, contentType, body, headers });
  }
  return assets;
}

/** Serves each asset. Whoever has it asks each time whether it changed, so that client and gateway are of one version. */
export function assetRoutes(assets: readonly Asset[]): Hono {
  const routes = new Hono();
  for (const asset of assets) routes.get(asset.path, served(asset));
  return routes;
}

/** Answers with an asset, as it is or packed, or that it has not changed. */
export function served(asset: Asset): (c: Context) => Response {
  const plain = { body: asset.body, etag: etagOf(asset.body), encoding: {} };
  const packed = new Uint8Array(gzipSync(asset.body, { level: 9 }));
  const gzip = { body: packed, etag: etagOf(packed), encoding: { "content-encoding": "gzip" } };
  return (c) => {
    const { body, etag, encoding } = takesGzip(c.req.header("accept-encoding")) ? gzip : plain;
    const headers = { ...asset.headers, etag, "cache-control": "no-cache", "vary": "accept-encoding" };
    return names(c.req.header("if-none-match"), etag)
      ? c.body(null, 304, headers)
      : c.body(body, 200, { ...headers, ...encoding, "content-type": asset.contentType });
  };
}

function etagOf(body: Uint8Array): string {
  return `"${createHash("sha256").update(body).digest("base64url")}"`;
}

/** Whether an `If-None-Match` has this entity tag. */
function names(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return known.includes(etag) || known.includes("*");
}

/** Whether an `Accept-Encoding` names gzip, and not to refuse it (`q=0`). */
function takesGzip(acceptEncoding = ""): boolean {
  return acceptEncoding.toLowerCase().split(",").some((entry) => {
    const [coding, ...parameters] = entry.split(";").map((part) => part.trim());
    return coding === "gzip" && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
