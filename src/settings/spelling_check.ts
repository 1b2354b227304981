/**
 * Warns of names in the environment that are nearly settings: the first step of `deno task start`. It runs by itself because
 * the gateway sees its settings only, and this sees the whole environment, but neither network nor files.
 */
import { misspelled } from "./settings.ts";

for (const warning of misspelled(Deno.env.toObject())) {
  Deno.stderr.writeSync(new TextEncoder().encode(`Warning: ${warning}\n`));
}
