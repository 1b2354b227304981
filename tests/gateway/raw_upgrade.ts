/** A TCP connection on which an upgrade to WebSocket was asked for, and nothing is read or said afterwards. */
export type Upgraded = {
  /** The status of the HTTP answer; 101 when it is a WebSocket now. */
  readonly status: number;
  /** The answer as it came, up to the first bytes after its headers. */
  readonly answer: string;
  readonly connection: Deno.TcpConn;
};

/** Asks for an upgrade by hand: what becomes of it can be seen, and the peer then be as silent as a dead one. */
export async function upgrade(
  port: number,
  path = "/ws",
  headers: Readonly<Record<string, string>> = {},
): Promise<Upgraded> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${btoa("a nonce of 16 by")}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  try {
    await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
    const buffer = new Uint8Array(4096);
    const read = await connection.read(buffer) ?? 0;
    const answer = new TextDecoder().decode(buffer.subarray(0, read));
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]), answer, connection };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The status with which an upgrade is answered; the connection is closed again. */
export async function upgradeStatus(...asked: Parameters<typeof upgrade>): Promise<number> {
  const { status, connection } = await upgrade(...asked);
  connection.close();
  return status;
}
