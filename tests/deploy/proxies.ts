import { operatorsProgram } from "./binaries.ts";
import { deployed, rewritten } from "./deployed.ts";
import { answers, freePort, ServerProcess } from "./server_process.ts";

/** A proxy with its committed configuration, at addresses of a test's own. */
export interface Proxy extends AsyncDisposable {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** What it wrote: its log. */
  readonly said: string;
  /** How many gateways it holds for ready; undefined where it does not say so. */
  ready(): Promise<number | undefined>;
}

/** The proxies that there is a configuration for. */
export const PROXIES = ["haproxy", "nginx"] as const;

/** One of them. */
export type ProxyKind = (typeof PROXIES)[number];

/** What a test may open files for is less than what is right in earnest: so many connections of clients, unless said. */
const CONNECTIONS = 200;

/** Starts one in front of the gateways on these ports; resolves when it passes requests on. */
export async function startProxy(
  kind: ProxyKind,
  ports: readonly number[],
  connections = CONNECTIONS,
): Promise<Proxy> {
  const folder = await Deno.makeTempDir({ prefix: `taskwire-${kind}-` });
  try {
    const port = freePort();
    const { binary, check, args, config, metrics } = await SET_UP[kind]({ folder, port, connections });
    await Deno.writeTextFile(`${folder}/config`, before(ports, config));
    const checked = await ServerProcess.ended(binary, check);
    if (checked.code !== 0) throw new Error(`${kind} does not take its configuration: ${checked.said}`);
    const host = `127.0.0.1:${port}`;
    const server = await ServerProcess.start(binary, args, () => answers(`http://${host}/readyz`));
    return {
      host,
      get said() {
        return server.said;
      },
      async ready() {
        if (metrics === undefined) return undefined;
        const text = await (await fetch(metrics)).text();
        return text.match(/^haproxy_server_status\{.*state="UP"\} 1$/gm)?.length ?? 0;
      },
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await Deno.remove(folder, { recursive: true });
      },
    };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** The configuration with a line for the gateway on each port, each made as that of the first one is. */
function before(ports: readonly number[], config: string): string {
  const [line, ...rest] = config.match(/^ *server .*gateway\d:8000.*\n/gm) ?? [];
  if (line === undefined) throw new Error("There is no gateway in the configuration");
  const lines = ports.map((port, i) =>
    line.replace(/gateway1:8000/, `127.0.0.1:${port}`).replace("gateway1", `gateway${i + 1}`)
  );
  return rewritten(rewritten(config, Object.fromEntries(rest.map((other) => [other, ""]))), {
    [line]: lines.join(""),
  });
}

/** Where a proxy is to be, and for how many. */
type Place = { readonly folder: string; readonly port: number; readonly connections: number };

type SetUp = {
  readonly binary: string;
  /** Asks it whether it takes its configuration. */
  readonly check: readonly string[];
  readonly args: readonly string[];
  readonly config: string;
  /** Where it tells how its gateways are. */
  readonly metrics?: string;
};

const SET_UP: Readonly<Record<ProxyKind, (place: Place) => Promise<SetUp>>> = {
  async haproxy({ folder, port, connections }) {
    const metricsPort = freePort();
    return {
      binary: await operatorsProgram("HAPROXY"),
      check: ["-c", "-f", `${folder}/config`],
      args: ["-W", "-f", `${folder}/config`],
      config: rewritten(await deployed("proxy/haproxy.cfg"), {
        "bind :8000": `bind 127.0.0.1:${port}`,
        "bind :8405": `bind 127.0.0.1:${metricsPort}`,
        "maxconn 100000": `maxconn ${connections}`,
      }),
      metrics: `http://127.0.0.1:${metricsPort}/metrics`,
    };
  },
  async nginx({ folder, port, connections }) {
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
    const args = ["-p", folder, "-e", "stderr", "-c", `${folder}/config`];
    return {
      binary: await operatorsProgram("NGINX"),
      check: [...args, "-t"],
      args: [...args, "-g", "daemon off;"],
      config: rewritten(await deployed("proxy/nginx.conf"), {
        "listen 8000;": `listen 127.0.0.1:${port};`,
        "/run/nginx.pid": `${folder}/pid`,
        "worker_rlimit_nofile 200000;": "",
        "worker_connections 65536;": `worker_connections ${connections};`,
        "http {": `http { ${temporary}`,
      }),
    };
  },
};
