import { assertEquals } from "@std/assert";
import { parseOrigins } from "../../src/settings/origins.ts";
import { type AllowedOrigins, originAllowed } from "../../src/transport/origin.ts";

/** Those of `origins` that may connect to `host`. */
function allowed(origins: readonly string[], host: string | undefined, allow: AllowedOrigins): string[] {
  return origins.filter((origin) => originAllowed(origin, host, allow));
}

/** Origins of pages that nobody means to let in where `app.example.org` is meant. */
const FOREIGN = [
  "null",
  "",
  "http://evil.example",
  "https://app.example.org.evil.example",
  "https://evilapp.example.org",
  "https://evil.app.example.org",
  "https://example.org",
  "https://app.example.org:8443",
  "https://app.example.org@evil.example",
  "https://user:password@app.example.org",
  "https://app.example.org/",
  "https://app.example.org/path",
  "https://app.example.org?x",
  "https://app.example.org#x",
  "https://app.example.org, https://evil.example",
  "https://evil.example, https://app.example.org",
  "https://app.example.org https://evil.example",
  "https://APP.example.org",
  "HTTPS://app.example.org",
  " https://app.example.org",
  "https://app.example.org.",
  "https:app.example.org",
  "//app.example.org",
  "app.example.org",
  "wss://app.example.org",
  "file://",
  "chrome-extension://app.example.org",
];

Deno.test("who sends no origin is no browser, and may connect", () => {
  for (const allow of ["same-host", "*", ["https://app.example.org"]] as const) {
    assertEquals(originAllowed(undefined, "127.0.0.1:8000", allow), true);
    assertEquals(originAllowed(undefined, undefined, allow), true);
  }
});

Deno.test("an origin that is allowed is allowed to the letter, at whatever host", () => {
  const allow = parseOrigins("https://app.example.org, http://LOCALHOST:5173/");
  const ours = ["https://app.example.org", "http://localhost:5173"];
  assertEquals(allow, ours);
  for (const host of ["gateway.example.net", "app.example.org", undefined]) {
    assertEquals(allowed(ours, host, ours), ours);
    assertEquals(allowed([...FOREIGN, "http://app.example.org", "http://localhost"], host, ours), []);
  }
});

Deno.test("the same host is that of the request, with its port, over http or https", () => {
  const at = (host: string | undefined, origins: readonly string[]): string[] =>
    allowed(origins, host, "same-host");
  const https = ["https://app.example.org", "http://app.example.org"];
  assertEquals(at("app.example.org", [...https, ...FOREIGN]), https);
  const ports = ["http://app.example.org:8000", "http://app.example.org:80000", "http://app.example.org:800"];
  assertEquals(at("app.example.org:8000", [...https, ...FOREIGN, ...ports]), ["http://app.example.org:8000"]);
  const loopback = ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"];
  assertEquals(at("localhost:8000", loopback), ["http://localhost:8000"]);
  assertEquals(at("[::1]:8000", loopback), ["http://[::1]:8000"]);
  assertEquals(at(undefined, [...https, ...FOREIGN, "http://undefined"]), []);
  assertEquals(at("", [...https, ...FOREIGN]), []);
});

Deno.test("anywhere is anywhere, pages without an origin of their own too", () => {
  assertEquals(allowed(FOREIGN, "app.example.org", "*"), FOREIGN);
});
