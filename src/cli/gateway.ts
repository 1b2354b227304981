import { type Client, connect, type ConnectionState } from "../client/client.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import type { World } from "./world.ts";

/** Where the gateway is unless somebody says otherwise. */
export const DEFAULT_URL = "ws://127.0.0.1:8000/ws";

/** What every command that speaks to a gateway is given. */
export type GatewayOptions = { readonly url?: string; readonly token?: string; readonly json?: boolean };

/** Where a gateway is, for both ways of speaking to it, and the token that it is shown. */
export type Gateway = {
  /** `ws(s)://…/ws`. */
  readonly socket: URL;
  /** `http(s)://…`. */
  readonly http: URL;
  readonly token: string | undefined;
};

/** The gateway that the options, else the environment, name. Throws {@link CliError} where that is no URL. */
export function gatewayOf({ url, token }: GatewayOptions, env: World["env"]): Gateway {
  const [name, text] = url !== undefined
    ? ["--url", url]
    : ["TASKWIRE_URL", given(env.TASKWIRE_URL) ?? DEFAULT_URL];
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^(ws|http)s?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new CliError(
      `${name} ${JSON.stringify(text)}: must be the gateway's ws://, wss://, http:// or https:// URL`,
      EXIT.badArgument,
    );
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new CliError(`${name}: must hold no user and password; a gateway takes --token`, EXIT.badArgument);
  }
  const base = parsed.pathname.replace(/\/(ws(\/.*)?)?$/, "");
  return {
    socket: at(parsed, parsed.protocol.replace(/^http/, "ws"), `${base}/ws`),
    http: at(parsed, parsed.protocol.replace(/^ws/, "http"), `${base}/`),
    token: token ?? given(env.TASKWIRE_TOKEN),
  };
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value.trim();
}

function at({ host }: URL, protocol: string, path: string): URL {
  return new URL(`${protocol}//${host}${path}`);
}

/** A client of this gateway. */
export function clientOf(
  { socket, token }: Gateway,
  options: { readonly requestTimeoutMs?: number } = {},
): Client {
  return connect(socket, { ...options, ...(token === undefined ? {} : { token: () => token }) });
}

/** Asks the gateway and is done with it. Rejects with {@link CliError} when the first try to reach it fails. */
export async function withClient<T>(gateway: Gateway, use: (client: Client) => Promise<T>): Promise<T> {
  const client = clientOf(gateway);
  try {
    await opened(client, gateway);
    return await use(client);
  } finally {
    client.close();
  }
}

/** Resolves when the client is connected; rejects with {@link CliError} as soon as it has to wait, or is not wanted. */
export async function opened(client: Client, { socket }: Gateway): Promise<void> {
  const failure = await new Promise<string | undefined>((resolve) => {
    const decide = (state: ConnectionState): void => {
      if (state.kind === "open") resolve(undefined);
      if (state.kind === "waiting" || state.kind === "closed") resolve(state.why);
    };
    client.onState(decide);
    decide(client.state);
  });
  if (failure !== undefined) {
    throw new CliError(`no gateway answers at ${socket.origin}${socket.pathname}: ${failure}`);
  }
}
