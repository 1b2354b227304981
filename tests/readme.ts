import { assert } from "@std/assert";

/** The README, as it is. */
export const README = await Deno.readTextFile(new URL("../README.md", import.meta.url));

/** The code of the README's fence with this info string. */
export function fence(info: string): string {
  const block = README.match(new RegExp(`^\`\`\`${info}\\n([\\s\\S]*?)^\`\`\``, "m"))?.[1];
  assert(block !== undefined, `README has no block "${info}"`);
  return block;
}
