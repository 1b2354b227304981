import { once } from "node:events";
import { connect } from "node:tls";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createGatewayServer } from "../../src/gateway/tls_server.ts";
import { REQUEST_BOUNDS } from "../../src/http/listener.ts";
import { judgedCertificate } from "../../src/settings/certificate.ts";
import { silent } from "../../src/telemetry/logger.ts";
import { type MadeCertificate, madeCertificate, openssl } from "../certificate.ts";
import { cli } from "../cli/cli_process.ts";
import { librariesOf } from "../debian_program.ts";
import { eventually } from "../eventually.ts";
import { TestClient } from "../websocket_client.ts";
import { ROOT, runToItsEnd, withGateway } from "./gateway_process.ts";

/** A folder with a certificate and its key, and the settings that name them. */
async function withFiles(
  first: MadeCertificate,
  use: (files: {
    readonly folder: string;
    readonly settings: { readonly TLS_CERT: string; readonly TLS_KEY: string };
    readonly write: (certificate: MadeCertificate) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-tls-" });
  const settings = { TLS_CERT: `${folder}/cert.pem`, TLS_KEY: `${folder}/key.pem` };
  const write = async ({ cert, key }: MadeCertificate): Promise<void> => {
    await Deno.writeTextFile(settings.TLS_CERT, cert);
    await Deno.writeTextFile(settings.TLS_KEY, key);
  };
  try {
    await write(first);
    await use({ folder, settings, write });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The name in the certificate that a new connection is shown. */
function shownAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject?.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

/** The image's way to look whether it lives, as it is written there. */
async function checkHealth(env: Record<string, string>): Promise<Deno.CommandOutput> {
  const dockerfile = await Deno.readTextFile(new URL("deploy/docker/Dockerfile", ROOT));
  const command = /HEALTHCHECK [^[]*CMD (\[.*\])/.exec(dockerfile)?.[1] ?? "[]";
  const [, ...args]: string[] = JSON.parse(command);
  return await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env, stdin: "null" }).output();
}

Deno.test("over TLS a gateway serves https and wss on its port, and takes up a new certificate while connections stay", async () => {
  const [first, second] = await Promise.all([madeCertificate("first"), madeCertificate("second")]);
  await withFiles(first, async ({ folder, settings, write }) => {
    await withGateway({ settings, dataDir: folder, untilReady: false }, async (gateway) => {
      const { port } = gateway;
      assertMatch(gateway.stdout, /listens on https:\/\/127\.0\.0\.1:\d+ {2}\(WebSocket: wss:\/\/127/);
      using trusting = Deno.createHttpClient({ caCerts: [first.cert, second.cert], poolMaxIdlePerHost: 0 });
      const url = `https://127.0.0.1:${port}`;
      const status = async (path: string, init: RequestInit = {}): Promise<number> => {
        const response = await fetch(`${url}${path}`, { ...init, client: trusting });
        await response.body?.cancel();
        return response.status;
      };
      await eventually("it is ready", async () => await status("/readyz") === 200, 30_000);
      const ca = [first.cert, second.cert];
      await using before = await TestClient.connect(`wss://127.0.0.1:${port}/ws?topics=task:status`, { ca });
      await before.next("caught_up");
      assertEquals(await shownAt(port), "first");

      await Deno.writeTextFile(settings.TLS_CERT, "-----BEGIN CERTIFICATE-----");
      await eventually(
        "it warns of the broken file",
        () => gateway.said.includes("the old one stays"),
        15_000,
      );
      assertMatch(gateway.said, /warn The new certificate cannot be used.*TLS_CERT=/);
      assertEquals(await shownAt(port), "first");

      await write(second);
      await eventually("it shows the second", async () => await shownAt(port) === "second", 15_000);
      const json = { "content-type": "application/json" };
      const init = { method: "POST", headers: json, body: '{"kind":"started"}' };
      assertEquals(await status("/api/tasks/t/events", init), 202);
      assertEquals((await before.next("task_status")).data.status, "running");
      await using after = await TestClient.connect(`wss://127.0.0.1:${port}/ws?topics=task:status`, { ca });
      assertEquals((await after.next("task_status")).data.task_id, "t");

      const container = { PORT: String(port), TLS_CERT: settings.TLS_CERT };
      assertEquals((await checkHealth(container)).code, 0);
      assertEquals((await checkHealth({ PORT: String(port) })).code, 1, "which speaks no TLS then");

      const env = { ...settings, DATA_DIR: folder, TASKWIRE_URL: url, DENO_CERT: settings.TLS_CERT };
      const { code, stdout } = await cli(["doctor"], { env });
      assertEquals(code, 0, stdout);
      assertMatch(stdout, /✓ gateway +is ready at https:/);
      assertMatch(stdout, /· TLS +serves https and wss as DNS:localhost/);
      assertMatch(stdout, /✓ WebSocket +opens at wss:/);
    });
  });
});

Deno.test("who speaks no TLS, or an older one than 1.2, is not served", async () => {
  const certificate = await madeCertificate("one");
  await withFiles(certificate, async ({ folder, settings }) => {
    await withGateway({ settings, dataDir: folder, untilReady: false }, async ({ port }) => {
      const program = await openssl();
      const handshake = async (...flags: readonly string[]): Promise<boolean> => {
        const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-cipher", "ALL:@SECLEVEL=0", ...flags];
        const options = { args, stdin: "null", env: librariesOf(program) } as const;
        return (await new Deno.Command(program, options).output()).success;
      };
      assertEquals(await Promise.all(["-tls1", "-tls1_1", "-tls1_2"].map((flag) => handshake(flag))), [
        false,
        false,
        true,
      ]);
      const plain = await fetch(`http://127.0.0.1:${port}/healthz`).then(() => "answered", () => "refused");
      assertEquals(plain, "refused");
    });
  });
});

Deno.test("requests over TLS have the bounds of those without", async () => {
  const { cert, key } = await madeCertificate("one");
  const paths = { cert: "cert.pem", key: "key.pem" };
  const judged = judgedCertificate({ cert, key }, paths);
  assert("certificate" in judged);
  using made = createGatewayServer({ certificate: judged.certificate, paths }, silent);
  const { server } = made;
  const { headersTimeout, requestTimeout, keepAliveTimeout } = REQUEST_BOUNDS;
  assertEquals(
    [server.headersTimeout, server.requestTimeout, server.keepAliveTimeout],
    [headersTimeout, requestTimeout, keepAliveTimeout],
  );
  server.on("request", (_request, response) => response.end("here"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(address !== null && typeof address !== "string");
  try {
    const statusOf = async (headers: string): Promise<string> => {
      const socket = connect({ port: address.port, host: "127.0.0.1", rejectUnauthorized: false });
      await once(socket, "secureConnect");
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
      socket.on("error", () => {}); // it is closed then
      const answer = once(socket, "data").then(([data]) => String(data).slice(0, 12), () => "closed");
      const closed = once(socket, "close").then(() => "closed");
      const status = await Promise.race([answer, closed]);
      socket.destroy();
      return status;
    };
    assertEquals(await statusOf(""), "HTTP/1.1 200");
    // The 431 may be lost where the connection ends with bytes unread.
    const long = await statusOf(`X-Long: ${"x".repeat(REQUEST_BOUNDS.maxHeaderSize)}\r\n`);
    assert(["HTTP/1.1 431", "closed"].includes(long), long);
    assertEquals(await statusOf("Connection: Upgrade\r\nUpgrade: h2c\r\n"), "HTTP/1.1 200");
  } finally {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }
});

Deno.test("files that hold no certificate and its key end the start as settings do", async () => {
  const [one, other] = await Promise.all([madeCertificate("one"), madeCertificate("other")]);
  await withFiles({ cert: one.cert, key: other.key }, async ({ folder, settings }) => {
    const { code, stderr } = await runToItsEnd(settings, folder);
    assertEquals(code, 2);
    const problem = `TLS_KEY="${settings.TLS_KEY}" must hold the key of the certificate in TLS_CERT`;
    assert(stderr.includes(`Cannot start with these settings:\n  ${problem}`), stderr);
  });
  const { code, stderr } = await runToItsEnd({ TLS_KEY: "/etc/key.pem" });
  assertEquals(code, 2);
  assert(stderr.includes('TLS_KEY="/etc/key.pem" goes together with TLS_CERT'), stderr);
});
