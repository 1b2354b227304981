import { assert, assertEquals } from "@std/assert";
import { othersFirst } from "../../src/log/others_first.ts";

Deno.test("of those who work in pieces one does one piece in a turn of the event loop, each in its turn", async () => {
  const pieces: string[] = [];
  const work = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await othersFirst();
      pieces.push(name);
    }
  };
  await Promise.all(["a", "b", "c"].map(work));
  assertEquals(pieces.join(""), "abcabcabc");
});

Deno.test("whoever waits for a socket gets in between any two pieces", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await listener.accept();
  let pieces = 0;
  let isOver = false;
  const work = async (): Promise<void> => {
    while (!isOver) {
      await othersFirst();
      pieces++;
    }
  };
  const working = Array.from({ length: 50 }, work);
  const byte = new Uint8Array(1);
  for (let i = 0; i < 100; i++) {
    const before = pieces;
    await client.write(byte);
    await server.read(byte);
    await server.write(byte);
    await client.read(byte);
    assert(pieces - before <= 50, `${pieces - before} pieces in a round trip`);
  }
  isOver = true;
  await Promise.all(working);
});
