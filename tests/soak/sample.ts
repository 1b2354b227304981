/** What was seen of a gateway at one moment; `atMs` counts from when the load began. NaN where it could not be had. */
export type Sample = {
  readonly atMs: number;
  /** Resident memory of the process, bytes. */
  readonly rss: number;
  /** The heap just after a collection, and what lies beside it for it (buffers), bytes. */
  readonly heap: number;
  /** Open files and sockets. */
  readonly handles: number;
  readonly threads: number;
  /** Timers that are set. */
  readonly timers: number;
  readonly connections: number;
  /** Tasks in memory. */
  readonly tasks: number;
  /** By how much a timer of the event loop was late at most in the last minute or two, ms. */
  readonly lateMs: number;
  /** Events of the log that it has not followed yet. */
  readonly lag: number;
};

/** What of a sample is a number that may grow. */
export type Measure = Exclude<keyof Sample, "atMs">;

/** Something done to the gateway's world. Times in ms since the load began. */
export type Fault = { readonly name: string; readonly fromMs: number; readonly toMs: number };
