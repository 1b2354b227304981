import type { Namespace } from "../channel/namespace.ts";
import type { DescribedMessage } from "../messages/message_registry.ts";

/** What of a gateway its documents are made of. */
export type Spoken = {
  /** The types of message that clients may send. */
  readonly messages: readonly DescribedMessage[];
  /** The namespaces of channels. */
  readonly namespaces: readonly Namespace[];
  /** The sub-protocols of WebSockets. */
  readonly subProtocols: readonly string[];
};

/** A file that a gateway serves, as far as its documents tell of it. */
export type ServedFile = {
  readonly path: string;
  readonly contentType: string;
  /** Whether it may be asked for before it is there. */
  readonly isEarly?: boolean;
};
