import { assertEquals } from "@std/assert";
import { TestClient } from "../websocket_client.ts";
import { eventually } from "../eventually.ts";
import { ChildGateway } from "./child_gateway.ts";
import { header, OPCODES, RawPeer } from "./raw_peer.ts";

const HUGE = 60_000_000;

Deno.test("a frame of 60 MB costs no memory, neither by its header nor by a body that is sent all the same", async () => {
  await using gateway = await ChildGateway.start();
  await using bystander = await TestClient.connect(gateway.url("/ws"));
  await bystander.next("welcome");
  const before = await gateway.memory();
  // What was read at once may show until it is collected: some 10 MB.
  const isLittle = async () => await gateway.memory() - before < 3_000_000;

  using peer = await RawPeer.connect(gateway.port);
  await peer.send(header({ opcode: OPCODES.text, length: HUGE }));
  assertEquals((await peer.untilClosed()).code, 1009);
  await eventually("the header costs nothing", isLittle);

  const piece = new Uint8Array(1_000_000);
  for (let sent = 0; sent < HUGE * 0.9; sent += piece.length) {
    if (!await peer.send(piece).then(() => true, () => false)) break; // it may be hung up on at any time
  }
  await eventually("what there is of the body costs nothing", isLittle);
  assertEquals((await bystander.request("ping")).type, "pong");
});
