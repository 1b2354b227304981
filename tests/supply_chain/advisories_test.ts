import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { audited, judged, type Verdict } from "./advisories.ts";

const ROOT = new URL("../../", import.meta.url);

/** What Deno 2.9.6 was seen to print, of each kind. */
const RECORDED = {
  clean: { code: 0, stdout: "No known vulnerabilities found\n", stderr: "" },
  lesser: {
    code: 0,
    stdout: "Found 1 vulnerabilities\nSeverity: 1 low, 0 moderate, 0 high, 0 critical\n",
    stderr: "",
  },
  found: {
    code: 1,
    stdout: `╭ ws is bad
│ Severity:   high
│ Package:    ws
│ Vulnerable: <9.0.0
╰ Info:       https://github.com/advisories/GHSA-xxxx

Found 2 vulnerabilities
Severity: 1 low, 0 moderate, 1 high, 0 critical
`,
    stderr: "",
  },
  untrusted: {
    code: 0,
    stdout: "",
    stderr: "Failed to get data from the registry: error sending request for url " +
      "(https://registry.npmjs.org/-/npm/v1/security/advisories/bulk): client error (Connect): " +
      "invalid peer certificate: UnknownIssuer\n",
  },
  noLock: { code: 1, stdout: "", stderr: "error: The lockfile is out of date.\n" },
} as const;

Deno.test("advisories of the level that is asked about are findings, lesser ones are told", () => {
  assertEquals(judged(RECORDED.clean), { kind: "clean", says: "No known vulnerabilities found" });
  assertEquals(judged(RECORDED.lesser), {
    kind: "clean",
    says: "Found 1 vulnerabilities; Severity: 1 low, 0 moderate, 0 high, 0 critical",
  });
  assertEquals(judged(RECORDED.found), { kind: "found", says: RECORDED.found.stdout.trim() });
});

Deno.test("a registry that nobody reaches is passed over in one line, which names it and the reason", () => {
  const { kind, says } = judged(RECORDED.untrusted);
  assertEquals([kind, says.includes("\n")], ["unasked", false]);
  assertMatch(says, /^Passed over: .*registry\.npmjs\.org.*UnknownIssuer$/);
});

Deno.test("what fails for any other reason than the registry is a failure", () => {
  assertEquals(judged(RECORDED.noLock), { kind: "found", says: "error: The lockfile is out of date." });
});

/** An advisory as the registry answers with. */
function advisory(severity: string): object {
  return {
    id: 1,
    url: "https://github.com/advisories/GHSA-0000-0000-0000",
    title: `A ${severity} one`,
    severity,
    vulnerable_versions: "<999.0.0",
    cwe: ["CWE-400"],
    cvss: { score: 7.5, vectorString: null },
  };
}

/** What `deno audit` makes of a registry that answers so, and which packages it asked about. */
async function auditedBy(answer: () => Response | Promise<Response>): Promise<Verdict & { asked: string[] }> {
  let asked: string[] = [];
  const done = Promise.withResolvers<void>();
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  await using server = Deno.serve(options, async (request) => {
    asked = Object.keys(await request.json());
    return await Promise.race([answer(), done.promise.then(() => new Response())]);
  });
  const env = { NPM_CONFIG_REGISTRY: `http://127.0.0.1:${server.addr.port}` };
  try {
    return { ...await audited({ env, cwd: ROOT, withinMs: 20_000 }), asked };
  } finally {
    done.resolve();
  }
}

Deno.test("every package of the lock file is asked about, and a high advisory is found", async () => {
  const { kind, says, asked } = await auditedBy(() => Response.json({ ws: [advisory("high")] }));
  assertEquals(kind, "found");
  assertStringIncludes(says, "A high one");
  assertStringIncludes(says, "https://github.com/advisories/GHSA-0000-0000-0000");
  const { npm }: { npm: Record<string, unknown> } = JSON.parse(
    await Deno.readTextFile(new URL("deno.lock", ROOT)),
  );
  const locked = new Set(Object.keys(npm).map((id) => id.slice(0, id.indexOf("@", 1))));
  assertEquals(asked.sort(), [...locked].sort());
});

Deno.test("no advisory, or one of a lower level, is no finding", async () => {
  assertEquals((await auditedBy(() => Response.json({}))).kind, "clean");
  assertEquals((await auditedBy(() => Response.json({ ws: [advisory("moderate")] }))).kind, "clean");
});

Deno.test("a registry without advisories, a broken one, and a proxy's page are passed over", async () => {
  const answers = [
    new Response("not found", { status: 404 }),
    new Response("denied", { status: 403 }),
    new Response("out of order", { status: 503 }),
    new Response("<html>Log in first</html>", { headers: { "content-type": "text/html" } }),
  ];
  for (const answer of answers) {
    const { kind, says } = await auditedBy(() => answer);
    assertEquals([kind, says.includes("\n")], ["unasked", false], says);
  }
});

Deno.test("a registry where nobody listens is passed over, and one that never answers, after a while", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const env = { NPM_CONFIG_REGISTRY: `http://127.0.0.1:${listener.addr.port}` };
  const silent = await audited({ env, cwd: ROOT, withinMs: 1_000 });
  assertEquals(silent, { kind: "unasked", says: "Passed over: no answer from the registry within 1 s" });
  listener.close();
  assertEquals((await audited({ env, cwd: ROOT })).kind, "unasked");
});
