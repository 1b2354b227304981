/** A thread that sends back each byte it gets over TCP: what a round trip takes on this machine, whoever is attacked. */
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
// A worker's own scope, which the types of a page do not know.
const scope = globalThis as unknown as { postMessage: (port: number) => void };
scope.postMessage(listener.addr.port);

for await (const connection of listener) {
  connection.setNoDelay(true);
  const byte = new Uint8Array(64);
  for (let read = await connection.read(byte); read !== null; read = await connection.read(byte)) {
    await connection.write(byte.subarray(0, read));
  }
}
