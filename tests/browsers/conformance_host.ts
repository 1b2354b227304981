import * as v from "valibot";
import { bundle } from "../../deploy/bundle.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import type { Outcome } from "./conformance.ts";

/** Where a page, or a program, that tries the client finds what it needs. */
export type ConformanceHost = {
  /** `http://127.0.0.1:port`: of who publishes events and kills the gateway when asked to. */
  readonly url: string;
  /** The page that runs the checks. */
  readonly pageUrl: string;
  /** `http://127.0.0.1:port` of a real gateway on a real nats-server. It serves the client. */
  readonly gatewayUrl: string;
  /** The checks as one ES module. */
  readonly module: string;
  /** What the checks came to. */
  readonly outcomes: Promise<readonly Outcome[]>;
};

const Events = v.array(
  v.union([
    v.strictTuple([v.string(), v.string()]),
    v.strictTuple([v.string(), v.string(), v.record(v.string(), v.unknown())]),
  ]),
);
const Outcomes = v.array(
  v.object({ name: v.string(), problem: v.exactOptional(v.string()), ms: v.number() }),
);

const HERE = new URL("./", import.meta.url);

/** Runs `use` with everything that the checks need, all of it real, and all of it gone afterwards. */
export async function withConformanceHost<T>(use: (host: ConformanceHost) => Promise<T>): Promise<T> {
  await using server = await startNatsServer();
  const module = await bundledChecks();
  const outcomes = Promise.withResolvers<readonly Outcome[]>();
  // Whoever fails before looking at it has said why.
  outcomes.promise.catch(() => {});
  const world: { gateway?: GatewayProcess; nats?: BareNats } = {};
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method === "GET") return await page(pathname, module);
    const body: unknown = await request.json();
    switch (pathname) {
      case "/publish":
        for (const event of v.parse(Events, body)) await publish(world.nats, event);
        break;
      case "/kill":
        await world.gateway?.kill();
        break;
      case "/stop":
        await world.gateway?.leave();
        break;
      case "/start":
        await world.gateway?.start();
        break;
      case "/outcomes":
        outcomes.resolve(v.parse(Outcomes, body));
    }
    return new Response("ok");
  };
  await using http = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      onError: (error) => new Response(String(error), { status: 500 }),
    },
    answer,
  );
  const url = `http://127.0.0.1:${http.addr.port}`;
  return await withGateway({ settings: { NATS_URL: server.url, ALLOWED_ORIGINS: url } }, async (gateway) => {
    await using nats = await BareNats.connect(server.url);
    Object.assign(world, { gateway, nats });
    const pageUrl = `${url}/conformance.html?gateway=${encodeURIComponent(gateway.url)}`;
    return await use({ url, pageUrl, gatewayUrl: gateway.url, module, outcomes: outcomes.promise });
  });
}

async function page(path: string, module: string): Promise<Response> {
  switch (path) {
    case "/conformance.html":
      return new Response(await Deno.readTextFile(new URL("conformance.html", HERE)), {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    case "/conformance.js":
      return new Response(module, { headers: { "content-type": "text/javascript; charset=utf-8" } });
    default:
      return new Response("no such path", { status: 404 });
  }
}

/** Publishes an event the way every worker does, and waits until the log has it. */
async function publish(
  nats: BareNats | undefined,
  [id, kind, body = {}]: v.InferOutput<typeof Events>[number],
) {
  if (nats === undefined) throw new Error("no NATS yet");
  const { body: ack } = await nats.request(`taskwire.task.${id}.${kind}`, body);
  const { error } = JSON.parse(new TextDecoder().decode(ack));
  if (error !== undefined) throw new Error(`${id} ${kind}: ${error.description}`);
}

async function bundledChecks(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "taskwire-conformance-" });
  try {
    const file = new URL(`file://${folder}/conformance.js`);
    await bundle(new URL("conformance.ts", HERE), file, { minify: false });
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
