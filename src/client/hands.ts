import type { Clock } from "./clock.ts";
import type { LinkInput } from "./link.ts";
import type { Request } from "./requests.ts";

/** What those who look after a connection do it with. */
export type Hands = {
  readonly clock: Clock;
  /** Sends a frame; returns the id under which it is answered. */
  readonly post: (type: string, data: Request["data"]) => string;
  /** Asks whether the gateway is there. */
  readonly ping: () => void;
  /** Has the link take a step. */
  readonly step: (input: LinkInput) => void;
};
