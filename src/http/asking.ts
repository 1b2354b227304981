import type { HttpBindings } from "@hono/node-server";
import type { Access } from "../access/access.ts";

/** What a route knows of who asks: what it may, and by which name the limits count its address. */
export type Asking = {
  readonly Variables: { access: Access; address: string };
  readonly Bindings: HttpBindings;
};
