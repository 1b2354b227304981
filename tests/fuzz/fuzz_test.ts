import { assert, assertEquals } from "@std/assert";
import { fuzz } from "./run.ts";

/** How long; `FUZZ_SECONDS` says otherwise. */
const SECONDS = Number(Deno.env.get("FUZZ_SECONDS") ?? 20);

Deno.test("no frame, request, worker event or setting makes it fall, hang, forget to answer, or tell of its inside", async () => {
  const { inputs, findings } = await fuzz({ seconds: SECONDS, seed: Date.now() % 1_000_000 });
  assertEquals(findings, []);
  assert(Object.values(inputs).every((count) => count > 0), JSON.stringify(inputs));
});
