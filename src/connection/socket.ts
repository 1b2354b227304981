/** A socket, as far as a connection needs one. Writes are never refused; `congested` asks for a pause. */
export interface Socket {
  /** Whether what was written has not gone out and the socket asks for no more until it has. */
  readonly congested: boolean;
  /** Queues what the codec packed: whole messages, or events. */
  write(bytes: Uint8Array): void;
  /** Calls `run` once it is not congested; at once when it is not. */
  onceDrained(run: () => void): void;
  /** Stops and starts reading, so that a client that asks faster than it reads waits for itself. */
  setReading(reading: boolean): void;
  /** Closes after what was written. */
  close(code: number, reason: string): void;
}
