import { utf8 } from "./raw_bytes.ts";

/** An answer over HTTP/1.1 as it came. */
export type Answer = {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

/** The most that an answer may take, ms. */
const ANSWER_MS = 10_000;

/** A request by hand: its line, its headers and its body as they are, whatever that makes of it. */
export function requestOf(
  line: string,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = "",
): Uint8Array {
  const fields = { Host: "gateway.test", Connection: "close", ...headers };
  const head = utf8(
    `${line}\r\n${Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
  );
  const rest = typeof body === "string" ? utf8(body) : body;
  const bytes = new Uint8Array(head.length + rest.length);
  bytes.set(head);
  bytes.set(rest, head.length);
  return bytes;
}

/** Sends these bytes on a connection of their own; the first answer to them, or undefined where it ends without one. */
export async function exchange(port: number, bytes: Uint8Array): Promise<Answer | undefined> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    connection.close();
  }, ANSWER_MS);
  try {
    const sent = send(connection, bytes).catch(() => {}); // it may be hung up on before it has sent all
    const answer = await read(connection);
    if (isLate) throw new Error(`No answer within ${ANSWER_MS} ms`);
    connection.close();
    isLate = true;
    await sent;
    return answer;
  } finally {
    clearTimeout(late);
    if (!isLate) connection.close();
  }
}

async function send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function read(connection: Deno.TcpConn): Promise<Answer | undefined> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count !== null) text += decoder.decode(buffer.subarray(0, count), { stream: true });
    const answer = parsed(text, count === null);
    if (answer !== undefined || count === null) return answer;
  }
}

/** The first answer in `text`; undefined where it is not whole yet. */
function parsed(text: string, isOver: boolean): Answer | undefined {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [line = "", ...fields] = head.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(line)?.[1];
  if (status === undefined || rest.length === 0) return undefined;
  const headers = new Map(fields.map((field) => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
  }));
  const body = rest.join("\r\n\r\n");
  const length = headers.get("content-length");
  const isWhole = length !== undefined && new TextEncoder().encode(body).length >= Number(length);
  return isWhole || isOver || status === "101" ? { status: Number(status), headers, body } : undefined;
}

/** An upgrade to WebSocket by hand. */
export function upgradeOf(target: string, headers: Readonly<Record<string, string>> = {}): Uint8Array {
  return requestOf(`GET ${target} HTTP/1.1`, {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": btoa("a nonce of 16 by"),
    ...headers,
  });
}
