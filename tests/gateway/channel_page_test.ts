import { assert, assertEquals, assertRejects } from "@std/assert";
import { readChannel } from "../../src/gateway/channel_page.ts";
import { Turns } from "../../src/projection/turns.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

/** Turns that abort `over` once so many were taken. */
class EndedTurns extends Turns {
  taken = 0;
  readonly #after: number;
  readonly #over: AbortController;

  constructor(after: number, over: AbortController) {
    super(1);
    this.#after = after;
    this.#over = over;
  }

  override run<T>(work: () => Promise<T>): Promise<T> {
    if (this.taken++ === this.#after) this.#over.abort(new Error("nobody waits for it"));
    return super.run(work);
  }
}

Deno.test("a page of a channel that nobody waits for any more is read no further", async () => {
  await using live = await LiveGateway.start();
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  const line = { subject: "data.a", body: new TextEncoder().encode("1") };
  const head = await live.append(
    line,
    ...Array.from({ length: 3_000 }, (_, i) => eventOf(`t${i}`, "created")),
  );
  await eventually("all is followed", () => pipeline.projection.head === head);
  const read = async (after: number): Promise<readonly [number, unknown]> => {
    const over = new AbortController();
    const turns = new EndedTurns(after, over);
    const query = { beforeSeq: head + 1, limit: 10, signal: over.signal };
    const { values } = await readChannel({ projection: pipeline.projection, turns }, "data:a", query);
    return [turns.taken, values.map(({ payload }) => payload)];
  };
  const [whole, values] = await read(Infinity);
  assertEquals(values, [1]);
  assert(whole > 3);
  await assertRejects(() => read(2), Error, "nobody waits for it");
});
