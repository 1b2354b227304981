import { assert, assertEquals } from "@std/assert";
import { encode } from "cborg";
import { TestClient } from "../websocket_client.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";

const CBOR = { protocols: ["taskwire.v1.cbor", "taskwire.v1.json"] };
const TASKS = 30;

Deno.test("who speaks CBOR is sent the frames that others are sent, in batches of binary messages", async () => {
  await using live = await LiveGateway.start();
  const topics = "topics=task:progress,task:status,task:list";
  await live.append(...Array.from({ length: TASKS }, (_, i) => eventOf(`job${i}`, "started")));
  await using plain = await live.connect(`/ws?batch=1&${topics}`);
  await plain.next("caught_up");
  for (const compress of [false, true]) {
    await using client = await live.connect(`/ws?${topics}`, { ...CBOR, compress });
    assertEquals([client.protocol, client.isCompressed], ["taskwire.v1.cbor", compress]);
    await client.next("caught_up");
    const text = "处理 ".repeat(300);
    const seq = await live.append(
      ...Array.from(
        { length: TASKS },
        (_, i) => eventOf(`job${i}`, "progress", { completed: i / 7, current: text }),
      ),
      eventOf("job1", "paused"),
      eventOf("job1", "resumed"),
    );
    for (const one of [plain, client]) {
      await one.find((frame) => "seq" in frame && frame.id === `status_${seq}`);
    }
    const told = (frames: typeof client.frames) =>
      frames.filter((frame) =>
        frame.type.startsWith("task_") && "seq" in frame && (frame.seq ?? 0) > seq - TASKS - 2
      );
    assertEquals(told(client.frames), told(plain.frames));
    assert(client.counts.batches > 0);
    assertEquals(client.counts.binary, client.counts.messages);
    assertEquals((await client.request("get_task", { task_id: "job1" })).type, "task_status");
  }
  assertEquals(live.incidents, []);
});

Deno.test("on a connection of CBOR text is read as JSON, and what is neither is invalid", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect("/ws", CBOR);
  client.send('{"type":"ping","id":"text"}');
  assertEquals((await client.next("pong")).id, "text");
  const wrong = [
    new Uint8Array(),
    new Uint8Array([0xff]),
    encode(["ping"]),
    encode({ type: "ping", id: new Uint8Array(3) }),
    new Uint8Array(60_000).fill(0x81),
  ];
  for (const message of wrong) {
    client.send(message);
    const { error } = await client.next("error");
    assertEquals(error.code, "INVALID_MESSAGE");
  }
  client.send(encode({ type: "nothing", id: "n1" }));
  assertEquals((await client.next("error")).id, "n1");
  assertEquals((await client.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});

Deno.test("who did not agree on CBOR is told so, and the rest goes on", async () => {
  await using live = await LiveGateway.start();
  await using client = await live.connect();
  client.send(encode({ type: "ping", id: "1" }));
  assertEquals(
    (await client.next("error")).error.message,
    "binary messages need the sub-protocol taskwire.v1.cbor",
  );
  assertEquals((await client.request("ping")).type, "pong");
});

Deno.test("a connection of CBOR that is turned away is told why in CBOR", async () => {
  await using live = await LiveGateway.start();
  await using client = await TestClient.connect(live.url("/ws?client_id=a%20b"), CBOR);
  assertEquals((await client.next("error")).error.code, "INVALID_MESSAGE");
  assertEquals([(await client.ended()).code, client.counts.binary], [4400, 1]);
});
