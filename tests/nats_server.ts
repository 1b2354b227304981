import { natsServerBinary } from "./nats_server_binary.ts";

/** What a test asks of its server. */
export type NatsServerOptions = {
  /** Whether it listens for WebSocket too, without TLS. */
  readonly websocket?: boolean;
  /** Whether it has JetStream. Default: true. */
  readonly jetstream?: boolean;
  /** Where JetStream keeps its files. Default: a temporary folder that goes with the server. */
  readonly storeDir?: string;
  /** More lines of the server's configuration, such as `authorization { … }`. */
  readonly config?: string;
  /** The executable. Default: {@link natsServerBinary}. */
  readonly binary?: string;
};

/** A real nats-server with JetStream on ports of its own. Disposing it kills it and removes its files. */
export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>`. */
  readonly url: string;
  /** `ws://127.0.0.1:<port>`; empty without `websocket`. */
  readonly wsUrl: string;
  /** Where JetStream keeps its files. */
  readonly storeDir: string;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>;
  /** Starts it on the same ports and store, after `kill -9` if it runs; resolves when it is ready. */
  restart(): Promise<void>;
  /** SIGSTOP: the process stays, silent, its connections open. */
  pause(): void;
  /** SIGCONT after {@link NatsServer.pause}. */
  resume(): void;
  /** Has it take these lines in place of its `config` while it runs (SIGHUP); resolves when it has. */
  reconfigure(config: string): Promise<void>;
}

/** How often a start is tried anew when another process took the port first. */
const START_ATTEMPTS = 5;

/** Starts a nats-server and resolves when it takes clients. Rejects with what it said when it does not start. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = options.binary ?? await natsServerBinary();
  const folder = await Deno.makeTempDir({ prefix: "taskwire-nats-" });
  const storeDir = options.storeDir ?? `${folder}/store`;
  left.folders.add(folder);
  const remove = async () => {
    await Deno.remove(folder, { recursive: true });
    left.folders.delete(folder);
  };
  for (let attempt = 1;; attempt++) {
    const ports = { client: freePort(), websocket: options.websocket ? freePort() : undefined };
    const configFile = `${folder}/nats.conf`;
    await Deno.writeTextFile(configFile, configuration({ ...options, ...ports, storeDir }));
    const start = () => runServer(binary, configFile);
    const configure = (config: string) =>
      Deno.writeTextFile(configFile, configuration({ ...options, ...ports, storeDir, config }));
    try {
      return controls(await start(), start, { ...ports, storeDir, remove, configure });
    } catch (error) {
      if (
        attempt < START_ATTEMPTS && error instanceof Error && error.message.includes("address already in use")
      ) {
        continue;
      }
      await remove();
      throw error;
    }
  }
}

function configuration(
  { client, websocket, storeDir, jetstream = true, config = "" }: {
    client: number;
    websocket: number | undefined;
    storeDir: string;
    jetstream?: boolean;
    config?: string;
  },
): string {
  return `listen: "127.0.0.1:${client}"
${jetstream ? `jetstream { store_dir: ${JSON.stringify(storeDir)} }` : ""}
${websocket === undefined ? "" : `websocket { listen: "127.0.0.1:${websocket}", no_tls: true }`}
${config}
`;
}

function controls(
  first: RunningServer,
  start: () => Promise<RunningServer>,
  { client, websocket, storeDir, remove, configure }: {
    client: number;
    websocket: number | undefined;
    storeDir: string;
    remove: () => Promise<void>;
    configure: (config: string) => Promise<void>;
  },
): NatsServer {
  let running: RunningServer | undefined = first;
  const end = async (signal: Deno.Signal) => {
    const ending = running;
    running = undefined;
    await ending?.end(signal);
  };
  return {
    url: `nats://127.0.0.1:${client}`,
    wsUrl: websocket === undefined ? "" : `ws://127.0.0.1:${websocket}`,
    storeDir,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    async restart() {
      await end("SIGKILL");
      running = await start();
    },
    pause: () => running?.signal("SIGSTOP"),
    resume: () => running?.signal("SIGCONT"),
    async reconfigure(config) {
      await configure(config);
      await running?.reload();
    },
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      await remove();
    },
  };
}

/** What is not disposed of yet. A test file that dies of an uncaught error leaves nothing behind either. */
const left = { processes: new Set<Deno.ChildProcess>(), folders: new Set<string>() };

globalThis.addEventListener("unload", () => {
  for (const child of left.processes) child.kill("SIGKILL");
  for (const folder of left.folders) removeNow(folder);
});

/** A killed server may be writing still for a moment. */
function removeNow(folder: string): void {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      Deno.removeSync(folder, { recursive: true });
      return;
    } catch {
      // Once more.
    }
  }
}

type RunningServer = {
  signal(signal: Deno.Signal): void;
  /** Has it read its configuration again; resolves when it has taken it, rejects when it does not. */
  reload(): Promise<void>;
  /** Sends `signal` and waits until the process and its output are gone. */
  end(signal: Deno.Signal): Promise<void>;
};

/** The last lines of a server that are kept for the message of a failed start. */
const KEPT_LINES = 40;

async function runServer(binary: string, configFile: string): Promise<RunningServer> {
  const child = new Deno.Command(binary, {
    args: ["--config", configFile],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  left.processes.add(child);
  const ready = Promise.withResolvers<void>();
  let reloaded = Promise.withResolvers<void>();
  const lines: string[] = [];
  const output = (async () => {
    for await (const line of child.stderr.pipeThrough(new TextDecoderStream()).pipeThrough(byLine())) {
      if (line.includes("Server is ready")) ready.resolve();
      if (line.includes("Reloaded server configuration")) reloaded.resolve();
      if (line.includes("Failed to reload")) reloaded.reject(new Error(line));
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
    }
    ready.reject(new Error(`${binary} ended before it was ready:\n${lines.join("\n")}`));
  })();
  const gone = Promise.all([child.status, output]).then(() => void left.processes.delete(child));
  const signal = (name: Deno.Signal) => {
    try {
      child.kill(name);
    } catch (error) {
      // It ended by itself before.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  try {
    await ready.promise;
  } catch (error) {
    await gone;
    throw error;
  }
  return {
    signal,
    async reload() {
      reloaded = Promise.withResolvers<void>();
      signal("SIGHUP");
      await reloaded.promise;
    },
    async end(name) {
      signal(name);
      await gone;
    },
  };
}

function byLine(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) controller.enqueue(part);
    },
    flush(controller) {
      if (rest !== "") controller.enqueue(rest);
    },
  });
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
