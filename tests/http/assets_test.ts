import { assert, assertEquals, assertRejects } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { type Asset, readClient } from "../../src/http/assets.ts";
import { FakeGateway } from "./fake_gateway.ts";

const CODE = new TextEncoder().encode("export const answer = 42;\n".repeat(10));

/** What an app that serves `asset` answers. */
async function get(headers: Record<string, string> = {}, asset: Partial<Asset> = {}, method = "GET") {
  const assets = [{ path: "/code.js", contentType: "text/javascript; charset=utf-8", body: CODE, ...asset }];
  return await new FakeGateway().app({ assets }).request("/code.js", { method, headers });
}

Deno.test("a file is served as what it is, and as nothing else", async () => {
  const response = await get();
  assertEquals(response.status, 200);
  assertEquals(new Uint8Array(await response.arrayBuffer()), CODE);
  assertEquals(
    ["content-type", "x-content-type-options", "cache-control", "access-control-allow-origin"]
      .map((name) => response.headers.get(name)),
    ["text/javascript; charset=utf-8", "nosniff", "no-cache", null],
  );
});

Deno.test("who has a file already is told so, and who has another gets it", async () => {
  const etag = (await get()).headers.get("etag") ?? "";
  assert(/^"[\w-]{43}"$/.test(etag), etag);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const response = await get({ "if-none-match": known });
    assertEquals(
      [response.status, await response.text(), response.headers.get("etag")],
      [304, "", etag],
      known,
    );
    assertEquals(response.headers.get("cache-control"), "no-cache");
  }
  for (const unknown of ['"other"', "", etag.replaceAll('"', "")]) {
    assertEquals((await get({ "if-none-match": unknown })).status, 200, unknown);
  }
  const changed = await get({ "if-none-match": etag }, { body: new Uint8Array(CODE.subarray(1)) });
  assertEquals(changed.status, 200);
});

Deno.test("a file is packed for who takes it so, under a tag of its own", async () => {
  const plain = await get({ "accept-encoding": "br, gzip;q=0" });
  assertEquals(plain.headers.get("content-encoding"), null);
  const packed = await get({ "accept-encoding": "br;q=1.0, GZIP;q=0.5" });
  assertEquals([packed.headers.get("content-encoding"), packed.headers.get("vary")], [
    "gzip",
    "accept-encoding",
  ]);
  assertEquals(new Uint8Array(gunzipSync(new Uint8Array(await packed.arrayBuffer()))), CODE);
  const etag = packed.headers.get("etag") ?? "";
  assert(etag !== plain.headers.get("etag"));
  assertEquals((await get({ "accept-encoding": "gzip", "if-none-match": etag })).status, 304);
  assertEquals((await get({ "if-none-match": etag })).status, 200);
});

Deno.test("HEAD of a file has no body, and other methods are refused", async () => {
  const head = await get({}, {}, "HEAD");
  assertEquals([head.status, await head.text(), head.headers.get("cache-control")], [200, "", "no-cache"]);
  const post = await get({}, {}, "POST");
  assertEquals([post.status, post.headers.get("allow"), post.headers.get("cache-control")], [
    405,
    "GET, HEAD",
    "no-store",
  ]);
});

Deno.test("the client is read once and served to the pages of any site, with its types", async () => {
  const assets = await readClient(new URL("../../src/http/bundles/", import.meta.url));
  const app = new FakeGateway().app({ assets });
  for (
    const [name, exported] of [
      ["client", "connect"],
      ["tabs", "shareTabs"],
      ["decrypt", "decrypting"],
      ["compact", "compact"],
    ] as const
  ) {
    const [code, types] = await Promise.all([".js", ".d.ts"].map((end) => app.request(`/${name}${end}`)));
    assert(code !== undefined && types !== undefined);
    assertEquals([code.headers.get("content-type"), types.headers.get("content-type")], [
      "text/javascript; charset=utf-8",
      "application/typescript; charset=utf-8",
    ]);
    for (const { headers } of [code, types]) assertEquals(headers.get("access-control-allow-origin"), "*");
    assertEquals(code.headers.get("x-typescript-types"), `./${name}.d.ts`);
    assert((await code.text()).includes("export{"));
    assert((await types.text()).includes(`export declare function ${exported}`));
  }
  assertEquals((await app.request("/api/tasks")).headers.get("access-control-allow-origin"), null);
});

Deno.test("a client that was not bundled is named, with what makes it", async () => {
  const error = await assertRejects(() => readClient(new URL("./no/", import.meta.url)), Error);
  assert(/client\..*; deno task bundle makes it$/.test(error.message), error.message);
});
