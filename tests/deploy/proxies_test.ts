import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { WebSocket } from "ws";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { Watcher } from "../gateway/watcher.ts";
import { startNatsServer } from "../nats_server.ts";
import { SseClient } from "../sse_client.ts";
import { PROXIES, startProxy } from "./proxies.ts";

/** So many connections may an address have at each gateway. */
const PER_ADDRESS = 8;
const WATCHERS = 6;
/** Who is at one gateway alone, and makes its going away take as long as it may (`DRAIN_MS`). */
const CROWD = 100;

/** A connection from an address of this machine; resolves with whether it was let in, when it was told. */
async function knock(
  host: string,
  from: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ socket: WebSocket; isIn: boolean }> {
  const socket = new WebSocket(`ws://${host}/ws`, { localAddress: from, headers: { ...headers } });
  socket.on("error", () => {}); // the close event follows
  const isIn = await new Promise<boolean>((resolve, reject) => {
    socket.once("message", (data) => resolve(JSON.parse(String(data)).type === "welcome"));
    socket.once("close", (code) => reject(new Error(`closed with ${code} before a word`)));
  });
  return { socket, isIn };
}

/** Ends connections, and waits until they have. */
async function hangUp(sockets: readonly WebSocket[]): Promise<void> {
  await Promise.all(sockets.map((socket) =>
    new Promise<void>((resolve) => {
      if (socket.readyState === WebSocket.CLOSED) return resolve();
      socket.once("close", () => resolve());
      socket.close();
    })
  ));
}

for (const kind of PROXIES) {
  Deno.test(`${kind} in front of two gateways`, async (t) => {
    await using nats = await startNatsServer();
    const settings = {
      NATS_URL: nats.url,
      TRUSTED_PROXIES: "127.0.0.1",
      MAX_CONNECTIONS_PER_ADDRESS: `${PER_ADDRESS}`,
      DRAIN_MS: "2000",
      HEARTBEAT_MS: "500", // haproxy sees with the next write that a client has left its stream
    };
    await withGateway({ settings }, (one) =>
      withGateway({ settings }, async (other) => {
        await using proxy = await startProxy(kind, [one.port, other.port]);
        await using worker = await BareNats.connect(nats.url);
        const [http, ws] = [`http://${proxy.host}`, `ws://${proxy.host}`];

        await t.step("passes on HTTP, WebSocket and streams, as they come", async () => {
          await using watcher = await Watcher.start({ url: ws });
          await using stream = await SseClient.connect(`${http}/api/stream?topics=task:status`);
          await stream.caughtUp();
          for (const [i, kind] of ["started", "completed"].entries()) {
            const answer = await fetch(`${http}/api/tasks/a/events`, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify({ kind }),
            });
            await answer.body?.cancel();
            assertEquals(answer.status, 202);
            await watcher.until("the socket is told", () => watcher.statuses.length === i + 1);
            await stream.until("the stream is told", () => stream.of("task_status").length === i + 1);
          }
          const statuses = ["running", "completed"];
          assertEquals(watcher.statuses.map(({ status }) => status), statuses);
          assertEquals(stream.of("task_status").map(({ data }) => data.status), statuses);
        });

        await t.step("has no query, which may hold a token, in its log", async () => {
          await (await fetch(`${http}/api/tasks/looked-for?token=secret-as-can-be`)).body?.cancel();
          await eventually("the request is in the log", () => proxy.said.includes("/api/tasks/looked-for"));
          assert(!proxy.said.includes("secret-as-can-be"), proxy.said);
        });

        await t.step("tells whose a connection is, and nobody can say that by a header", async () => {
          const forged = { "x-forwarded-for": "203.0.113.9" };
          const sockets: WebSocket[] = [];
          const isIn = async (...knocking: Parameters<typeof knock>): Promise<boolean> => {
            const { socket, isIn } = await knock(...knocking);
            sockets.push(socket);
            return isIn;
          };
          let places = 0;
          for (let tries = 0; places < 2 * PER_ADDRESS && tries < 10 * PER_ADDRESS; tries++) {
            if (await isIn(proxy.host, "127.0.0.2")) places++;
          }
          assertEquals(places, 2 * PER_ADDRESS, "every place of one address is taken");
          assert(!await isIn(proxy.host, "127.0.0.2"), "and there is no further");
          assert(!await isIn(proxy.host, "127.0.0.2", forged), "by no name that it gives itself");
          assert(!await isIn(`127.0.0.1:${one.port}`, "127.0.0.2", forged), "nor without a proxy");
          assert(await isIn(proxy.host, "127.0.0.3"), "while another address has its own places");
          await hangUp(sockets);
          await eventually("they are gone", async () =>
            await connectionsOf(one) + await connectionsOf(other) === 0);
        });

        await t.step(
          "brings who was at a gateway that goes away to the other one, and no status is lost",
          async () => {
            const starting = Array.from(
              { length: WATCHERS },
              () =>
                Watcher.start({ url: ws, returns: true }),
            );
            const watchers = await Promise.all(starting);
            try {
              const before = await connectionsOf(one);
              assert(before > 0 && before < WATCHERS, `connections are spread: ${before} of ${WATCHERS}`);
              const told = telling(worker);
              // Many have to be sent away: meanwhile it says 503 to who is new.
              const crowd = await Promise.all(Array.from(
                { length: CROWD },
                (_, i) => knock(`127.0.0.1:${one.port}`, `127.0.1.${i % 50 + 1}`),
              ));
              one.signal("SIGTERM");
              await eventually("it goes away", () => one.said.includes("Going away"));
              for (let i = 0; i < PER_ADDRESS; i++) {
                const { socket, isIn } = await knock(proxy.host, "127.0.0.5");
                assert(isIn, "who is new is let in by the other one");
                await hangUp([socket]);
              }
              assertEquals((await one.ended()).code, 0);
              await hangUp(crowd.map(({ socket }) => socket));
              await eventually(
                "all are at the other one",
                async () => await connectionsOf(other) === WATCHERS,
              );
              const written = await told.stop();
              const wanted = Object.fromEntries(written.map((taskId) => [taskId, ["running", "completed"]]));
              for (const watcher of watchers) {
                await watcher.until("it was told all", () => watcher.statuses.length >= 2 * written.length);
                assertEquals(byTask(watcher), wanted);
                assertEquals(
                  watcher.closes.filter((code) => code !== 1012),
                  [],
                );
              }
              assertEquals(watchers.flatMap(({ closes }) => closes).length, before);
            } finally {
              await Promise.all(watchers.map((watcher) => watcher[Symbol.asyncDispose]()));
            }
          },
        );

        await t.step("asks a gateway again that is back", async () => {
          await one.start();
          await eventually("it has a connection", async () => {
            await using _watcher = await Watcher.start({ url: ws });
            return await connectionsOf(one) > 0;
          });
          assertStringIncludes(one.said, "Going away");
        });
      }));
  });
}

/** The connections that a gateway has now. */
async function connectionsOf(gateway: GatewayProcess): Promise<number> {
  return await gateway.metric('taskwire_connections{state="live"}');
}

/** The statuses of each task but the first, as a watcher was told them. */
function byTask({ statuses }: Watcher): Record<string, string[]> {
  const told: Record<string, string[]> = {};
  for (const { taskId, status } of statuses) (told[taskId] ??= []).push(status);
  return told;
}

/** Writes tasks that begin and end, one after the other, until told to stop: which it wrote. */
function telling(worker: BareNats): { readonly stop: () => Promise<string[]> } {
  let going = true;
  const written: string[] = [];
  const writing = (async () => {
    while (going) {
      const taskId = `t${written.length}`;
      for (const kind of ["started", "completed"]) {
        await worker.request(`taskwire.task.${taskId}.${kind}`, {});
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      written.push(taskId);
    }
  })();
  writing.catch(() => {}); // whoever stops it looks at it
  return {
    async stop() {
      going = false;
      await writing;
      return written;
    },
  };
}
