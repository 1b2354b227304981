import { BEARER_PROTOCOL } from "../../src/access/bearer.ts";
import { base64url } from "../access/signed.ts";
import { SseClient, StreamRefused } from "../sse_client.ts";
import { TestClient } from "../websocket_client.ts";
import { exchange, requestOf } from "./raw_http.ts";

/** What came of a token: a close with what was told before, a status with its problem's code, or that it was let in. */
export type Came =
  | { readonly code: number; readonly told: readonly string[] }
  | { readonly status: number; readonly told: readonly string[] }
  | "let in";

/** Shows a token to the gateway at `port`, and tells what came of it. */
export type Way = (port: number, token: string, headers?: Readonly<Record<string, string>>) => Promise<Came>;

/** Every way to show a token. */
export const WAYS: Readonly<Record<string, Way>> = {
  "?token=": (port, token, headers = {}) =>
    connected(port, { query: `token=${encodeURIComponent(token)}`, headers }),
  "sub-protocol": (port, token, headers = {}) =>
    connected(port, {
      headers,
      protocols: ["taskwire.v1.json", `${BEARER_PROTOCOL}${base64url(token)}`],
    }),
  "Authorization": (port, token, headers = {}) =>
    connected(port, { headers: { ...headers, Authorization: `Bearer ${token}` } }),
  "auth frame": async (port, token, headers = {}) => {
    await using client = await TestClient.connect(`ws://127.0.0.1:${port}/ws`, { headers });
    client.send({ type: "auth", id: "auth_1", data: { token } });
    return await cameOf(client);
  },
  "HTTP": async (port, token, headers = {}) => {
    const answer = await exchange(
      port,
      requestOf("GET /api/tasks/nobody HTTP/1.1", { ...headers, Authorization: `Bearer ${token}` }),
    );
    if (answer === undefined) throw new Error("It was not answered");
    const problem: { code: string; detail: string } = JSON.parse(answer.body);
    if (problem.code === "TASK_NOT_FOUND") return "let in";
    return { status: answer.status, told: [`${problem.code} ${problem.detail}`] };
  },
  "stream, ?token=": (port, token, headers = {}) =>
    streamed(port, { query: `&token=${encodeURIComponent(token)}`, headers }),
  "stream, Authorization": (port, token, headers = {}) =>
    streamed(port, { headers: { ...headers, Authorization: `Bearer ${token}` } }),
};

async function connected(
  port: number,
  { query = "", headers, protocols = [] }: {
    readonly query?: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly protocols?: readonly string[];
  },
): Promise<Came> {
  await using client = await TestClient.connect(`ws://127.0.0.1:${port}/ws?${query}`, { headers, protocols });
  if (client.protocol !== (protocols[0] ?? "")) throw new Error(`It agreed on ${client.protocol}`);
  return await cameOf(client);
}

async function cameOf(client: TestClient): Promise<Came> {
  const first = await client.find(() => true, "a first frame");
  if (first.type === "welcome") return "let in";
  const { code } = await client.ended();
  return { code, told: client.of("error").map(({ error }) => `${error.code} ${error.message}`) };
}

async function streamed(
  port: number,
  { query = "", headers }: { readonly query?: string; readonly headers: Readonly<Record<string, string>> },
): Promise<Came> {
  try {
    await using _stream = await SseClient.connect(
      `http://127.0.0.1:${port}/api/stream?topics=task:status${query}`,
      headers,
    );
    return "let in";
  } catch (error) {
    if (!(error instanceof StreamRefused)) throw error;
    const problem: { code: string; detail: string } = JSON.parse(JSON.stringify(error.problem));
    return { status: error.status, told: [`${problem.code} ${problem.detail}`] };
  }
}
