import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createLogger, logLine } from "../../src/telemetry/logger.ts";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

Deno.test("a line is time, level, message and fields", () => {
  assertEquals(
    logLine(AT, "info", "gateway listens", {
      url: "http://127.0.0.1:8000",
      clients: 3,
      log: "sqlite",
      extra: undefined,
    }),
    "2026-01-02T03:04:05.006Z info gateway listens url=http://127.0.0.1:8000 clients=3 log=sqlite",
  );
});

Deno.test("what others sent can neither forge a line nor another field", () => {
  const line = logLine(AT, "warn", "rejected", {
    subject: 'x reason="fine"\n2026-01-01T00:00:00.000Z error stolen',
    "bad key=": "\u001b[2Jgone\u009b\u2028\u202e\0",
    nothing: "",
    nil: null,
    list: ["a b", { c: 1 }],
  });
  assertEquals(
    line,
    '2026-01-02T03:04:05.006Z warn rejected subject="x reason=\\"fine\\"\\n2026-01-01T00:00:00.000Z error stolen" ' +
      'bad_key_="\\u001b[2Jgone\\u009b\\u2028\\u202e\\u0000" nothing="" nil=null list="[\\"a b\\",{\\"c\\":1}]"',
  );
});

Deno.test("any text is one line whose quoted value reads back as the text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    const line = logLine(AT, "info", "m", { text });
    assert(!/[\p{Cc}\u2028\u2029]/u.test(line), line);
    const value = line.slice(line.indexOf("text=") + 5);
    assertEquals(value.startsWith('"') ? JSON.parse(value) : value, text);
  }));
});

Deno.test("an error is told with its causes, a long value is cut", () => {
  const error = new TypeError("cannot append", { cause: new Error("no route", { cause: "host down" }) });
  assertEquals(
    logLine(AT, "error", "failed", { error }),
    '2026-01-02T03:04:05.006Z error failed error="TypeError: cannot append: Error: no route: host down"',
  );
  const cut = logLine(AT, "info", "m", { long: "y".repeat(1_000_000) });
  assert(cut.length < 2_200 && cut.endsWith('y…"'));
  const circular: { self?: unknown } = {};
  circular.self = circular;
  assert(logLine(AT, "info", "m", { circular, big: 1n }).endsWith('circular="[object Object]" big=1'));
});

Deno.test("a level silences what is below it", () => {
  const lines: string[] = [];
  const log = createLogger({ level: "warn", now: () => AT, write: (line) => lines.push(line) });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d", { n: 1 });
  assertEquals(lines, ["2026-01-02T03:04:05.006Z warn c\n", "2026-01-02T03:04:05.006Z error d n=1\n"]);
});

Deno.test("a closed standard error stops nobody", async () => {
  const module = new URL("../../src/telemetry/logger.ts", import.meta.url).href;
  const program = `
    import { createLogger } from ${JSON.stringify(module)};
    const log = createLogger({ level: "info" });
    for (let i = 0; i < 4; i++) { log.info("line", { i }); await new Promise((go) => setTimeout(go, 20)); }
    await Deno.stdout.write(new TextEncoder().encode("done"));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stderr.cancel();
  const { code, stdout } = await child.output().catch(async () => ({
    code: (await child.status).code,
    stdout: new Uint8Array(await new Response(child.stdout).arrayBuffer()),
  }));
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "done"]);
});
