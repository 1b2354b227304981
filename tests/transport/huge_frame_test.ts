import { assert, assertEquals } from "@std/assert";
import { TestClient } from "../websocket_client.ts";
import { ChildGateway } from "./child_gateway.ts";
import { header, OPCODES, RawPeer } from "./raw_peer.ts";

const HUGE = 60_000_000;

Deno.test("a frame of 60 MB costs no memory, neither by its header nor by a body that is sent all the same", async () => {
  await using gateway = await ChildGateway.start();
  await using bystander = await TestClient.connect(gateway.url("/ws"));
  await bystander.next("welcome");
  const before = await gateway.memory();

  using peer = await RawPeer.connect(gateway.port);
  await peer.send(header({ opcode: OPCODES.text, length: HUGE }));
  assertEquals((await peer.untilClosed()).code, 1009);
  assertLittle(await gateway.memory() - before);

  const piece = new Uint8Array(1_000_000);
  for (let sent = 0; sent < HUGE; sent += piece.length) {
    // It may be hung up on at any time.
    if (!await peer.send(piece).then(() => true, () => false)) break;
    if (sent % (HUGE / 4) === 0) assertLittle(await gateway.memory() - before);
  }
  assertLittle(await gateway.memory() - before);
  assertEquals((await bystander.request("ping")).type, "pong");
});

/** What was read at once and is not collected yet may show: some MB. */
function assertLittle(bytes: number): void {
  assert(bytes < 20_000_000, `${bytes} bytes more`);
}
