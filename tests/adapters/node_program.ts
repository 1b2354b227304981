import { onPath } from "../programs.ts";

const node = onPath(["node"]);

/** How a program for Node is started: by Node where there is one, else by the Deno that runs this. */
export const NODE: readonly [program: string, ...args: string[]] = node === undefined
  ? [Deno.execPath(), "run", "-A"]
  : [node];
