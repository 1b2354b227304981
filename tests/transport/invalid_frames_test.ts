import { assert, assertEquals } from "@std/assert";
import { TestClient } from "../websocket_client.ts";
import { LiveGateway } from "./live_gateway.ts";

const TOO_MANY = { code: 4400, reason: "too many invalid frames" };

Deno.test("a client_id that breaks its rule is told so, and closed with 4400", async () => {
  await using live = await LiveGateway.start();
  for (const id of ["", "a%20b", "x".repeat(129), "%00", "%E4"]) {
    await using client = await TestClient.connect(live.url(`/ws?client_id=${id}&topics=task:list`));
    assertEquals(await client.ended(), TOO_MANY);
    assertEquals(client.frames.map((frame) => frame.type === "error" && frame.error), [{
      code: "INVALID_MESSAGE",
      message: "client_id: must be 1–128 characters of A-Za-z0-9._:-",
      details: {},
    }]);
  }
  assertEquals(live.incidents, []);
});

Deno.test("an invalid frame is answered and nothing more; the tenth within a minute ends the connection with 4400", async () => {
  await using live = await LiveGateway.start();
  await using bystander = await live.connect();
  await using client = await live.connect();
  const invalid: readonly (readonly [message: unknown, id: string | undefined])[] = [
    ["{", undefined],
    [new Uint8Array([1, 2, 3]), undefined],
    ["[]", undefined],
    [{ type: "nothing", id: "unknown type" }, "unknown type"],
    [{ type: "get_task", id: "no data" }, "no data"],
    [{ type: "ping", id: "" }, undefined],
    [{ type: "ping" }, undefined],
    [{ id: "no type" }, "no type"],
    [{ type: "ping", id: "wrong data", data: [] }, "wrong data"],
  ];
  for (const [message, id] of invalid) {
    client.send(message);
    const { error, id: answered } = await client.next("error");
    assertEquals(error.code, "INVALID_MESSAGE");
    if (id !== undefined) assertEquals(answered, id);
    assertEquals((await client.request("ping")).type, "pong");
  }
  client.send("the tenth");
  assertEquals(await client.ended(), TOO_MANY);
  assertEquals(client.of("error").length, 10);
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});

Deno.test("what is refused for another reason is no invalid frame", async () => {
  await using live = await LiveGateway.start({ MAX_TOPICS: "1" });
  await using client = await live.connect();
  const codes = new Set<string>();
  for (let i = 0; i < 6; i++) {
    for (
      const [type, data] of [
        ["get_task", { task_id: "nobody" }],
        ["subscribe", { topics: ["nonsense"] }],
        ["subscribe", { topics: ["task:list", "task:status"] }],
      ] as const
    ) {
      const answer = await client.request(type, data);
      assert(answer.type === "error");
      codes.add(answer.error.code);
    }
  }
  assertEquals([...codes], ["TASK_NOT_FOUND", "TOPIC_NOT_FOUND", "LIMIT_EXCEEDED"]);
  assertEquals((await client.request("ping")).type, "pong");
});

Deno.test("topics of the handshake that are none are told as those of a subscribe are", async () => {
  await using live = await LiveGateway.start();
  const told = async (query: string): Promise<unknown> => {
    await using client = await live.connect(`/ws/task?${query}`);
    const { error } = await client.next("error");
    assertEquals((await client.request("ping")).type, "pong");
    return [
      error.code,
      error.code === "TOPIC_NOT_FOUND" ? error.details["topics"] : error.message.split(":")[0],
    ];
  };
  assertEquals(await told("topics=task:list,nonsense,data:x"), ["TOPIC_NOT_FOUND", ["nonsense", "data:x"]]);
  assertEquals(await told("topics=task:list&replay=some"), ["INVALID_MESSAGE", "data.replay"]);
  assertEquals(await told("topics=task:list&since=here"), ["INVALID_MESSAGE", "data.since.epoch"]);
  assertEquals(await told("topics=task:list&since=e:-1"), ["INVALID_MESSAGE", "data.since.seq"]);
});
