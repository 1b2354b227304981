import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { nkeys } from "nats.ws";
import { connectNats, NatsConnectError, type NatsOptions } from "../../src/nats/connect.ts";
import { openLink } from "../../src/nats/link.ts";
import { parseServers } from "../../src/nats/servers.ts";
import { startNatsServer } from "../nats_server.ts";

Deno.test("addresses of one family go together, and a part without a scheme takes the one before it", () => {
  const { family, tls, urls, addresses } = parseServers("nats://a, b:4333,tls://[::1]:9");
  assertEquals({ family, tls, urls, addresses }, {
    family: "tcp",
    tls: true,
    urls: ["nats://a", "nats://b:4333", "tls://[::1]:9"],
    addresses: ["ws://a:4222", "ws://b:4333", "ws://[::1]:9"],
  });
  assertEquals(parseServers("wss://a/nats?x=1").addresses, ["wss://a/nats?x=1"]);
});

Deno.test("a user in the address is taken out of it", () => {
  const { urls, user, password } = parseServers("nats://an%40na:se%2Fcret@a:4222");
  assertEquals({ urls, user, password }, { urls: ["nats://a:4222"], user: "an@na", password: "se/cret" });
  assertEquals(parseServers("ws://s3cr3t@a").token, "s3cr3t");
});

Deno.test("addresses that make no sense are told without what may be a password in them", () => {
  for (
    const bad of [
      "",
      ",",
      "http://u:hidden@a",
      "nats://a,ws://u:hidden@b",
      "nats://u:hidden@",
      "nats://u:hid den@a b",
    ]
  ) {
    const { message } = assertThrows(() => parseServers(bad), TypeError);
    assert(!message.includes("hidden") && !message.includes("hid den"), message);
  }
});

const anna = nkeys.createUser();
const USERS =
  `authorization { timeout: 1, users: [{ user: otto, password: secret }, { nkey: ${anna.getPublicKey()} }] }`;

for (const family of ["nats", "ws"] as const) {
  fact(`${family}: a user, an address with a user, an NKey and its file are let in`, async () => {
    await using server = await startNatsServer({ websocket: true, config: USERS });
    const url = family === "nats" ? server.url : server.wsUrl;
    const nkeySeed = new TextDecoder().decode(anna.getSeed());
    const nkeySeedFile = await Deno.makeTempFile({ prefix: "taskwire-seed-" });
    try {
      await Deno.writeTextFile(nkeySeedFile, `${nkeySeed}\n`);
      const ways: NatsOptions[] = [
        { url, user: "otto", password: "secret" },
        { url: url.replace("//", "//otto:secret@") },
        { url, nkeySeed },
        { url, nkeySeedFile },
      ];
      for (const way of ways) await usable(way);
    } finally {
      await Deno.remove(nkeySeedFile);
    }
  });

  fact(`${family}: fifty refused logins at once are fifty errors and nothing else`, async () => {
    await using server = await startNatsServer({ websocket: true, config: USERS });
    const url = family === "nats" ? server.url : server.wsUrl;
    const wrong = { url, user: "otto", password: "guess" };
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => connectNats(wrong)));
    const reasons = outcomes.map((outcome) => outcome.status === "rejected" ? outcome.reason : undefined);
    assert(
      reasons.every((reason) => reason instanceof NatsConnectError && reason.code === "refused"),
      `${reasons}`,
    );
    await usable({ url, user: "otto", password: "secret" });
  });

  fact(`${family}: of several servers one is enough, and none is told in time`, async () => {
    await using server = await startNatsServer({ websocket: true });
    await using dead = await startNatsServer({ websocket: true });
    const url = family === "nats" ? server.url : server.wsUrl;
    const deadUrl = family === "nats" ? dead.url : dead.wsUrl;
    await dead.kill();
    for (let i = 0; i < 4; i++) await usable({ url: `${deadUrl},${url}` });
    await assertRejects(
      () => connectNats({ url: deadUrl }, { withinMs: 500 }),
      NatsConnectError,
      "does not answer",
    );
    const ended = AbortSignal.abort(new Error("enough"));
    await assertRejects(() => connectNats({ url: deadUrl }, { signal: ended }), Error, "enough");
  });

  fact(`${family}: a link is there again after its server was, and says why while it is not`, async () => {
    await using server = await startNatsServer({ websocket: true });
    await using link = await openLink({ url: family === "nats" ? server.url : server.wsUrl });
    const first = link.connection;
    await server.kill();
    await changed(link, (connection) => connection === undefined);
    assert(link.trouble !== "");
    await server.restart();
    await changed(link, (connection) => connection !== undefined);
    assert(link.connection !== first && link.trouble === "");
    await link.connection?.flush();
  });
}

fact("options that make no sense are told at once", async () => {
  const both = { url: "nats://127.0.0.1:1", user: "a", token: "b" };
  const senseless: NatsOptions[] = [
    both,
    { url: "nats://127.0.0.1:1", nkeySeed: "SUNONSENSE" },
    { url: "nats://127.0.0.1:1", creds: "no creds" },
    { url: "nats://127.0.0.1:1", credsFile: "/no/such/file" },
    { url: "http://127.0.0.1:1" },
  ];
  for (const options of senseless) {
    const error = await assertRejects(() => connectNats(options), NatsConnectError);
    assertEquals(error.code, "invalid");
  }
});

fact("what does not greet as NATS does is told so", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      connection.close();
    }
  })();
  const url = `nats://127.0.0.1:${listener.addr.port}`;
  await assertRejects(
    () => connectNats({ url }, { withinMs: 300 }),
    NatsConnectError,
    "did not greet as NATS does",
  );
  listener.close();
  await answering;
});

/** Registers a test under the sanitizers. */
function fact(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

async function usable(options: NatsOptions): Promise<void> {
  const connection = await connectNats(options, { withinMs: 5_000 });
  await connection.flush();
  await connection.close();
}

async function changed(
  link: Awaited<ReturnType<typeof openLink>>,
  to: (connection: typeof link.connection) => boolean,
): Promise<void> {
  if (to(link.connection)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unwatch = link.watch((connection) => to(connection) && resolve());
  await promise;
  unwatch();
}
