import type { ClientError } from "./client_error.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Source } from "./source.ts";
import type { PushedFrame } from "./watch.ts";

/** What every view of tasks says of how it came about. */
export type ConnectedView = {
  readonly connection: ConnectionState["kind"];
  /**
   * Whether this may not be how it is by now: the connection is gone or does not answer, what was missed is still being
   * read, or what comes is late.
   */
  readonly isStale: boolean;
  readonly error: ClientError | undefined;
};

/** What a view says before anything is known. */
export function unconnected(client: Source): ConnectedView {
  return { connection: client.state.kind, isStale: true, error: undefined };
}

/** Has frames of these topics handed to `onFrame`, and the view say how that stands; returns how to stop that. */
export function connectView<V extends ConnectedView>(
  client: Source,
  set: (change: (view: V) => V) => void,
  topics: string | readonly string[],
  onFrame: (frame: PushedFrame) => void,
): () => void {
  const connection = (kind: ConnectionState["kind"]): void =>
    set((view) => view.connection === kind ? view : { ...view, connection: kind });
  const endOfState = client.onState(({ kind }) => connection(kind));
  const { unsubscribe } = client.subscribe(topics, onFrame, {
    onLive: (isLive) =>
      set((view) => {
        // Who had to wait and has a place now has nothing to complain of.
        const error = isLive && view.error?.code === "LIMIT_EXCEEDED" ? undefined : view.error;
        return { ...view, isStale: !isLive, error };
      }),
    onError: (error) => set((view) => ({ ...view, error })),
  });
  connection(client.state.kind);
  return () => {
    endOfState();
    unsubscribe();
    set((view) => ({ ...view, isStale: true }));
  };
}
