import { connectNats } from "../../src/nats/connect.ts";

/** A message as the stream keeps it. */
export type Kept = {
  readonly seq: number;
  readonly taskId: string;
  readonly kind: string;
  readonly id: string;
  readonly traceparent: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** The test's own view of the stream, through a connection of its own. */
export interface TaskStream extends AsyncDisposable {
  /** All that it keeps, in order. */
  kept(): Promise<Kept[]>;
  /** Publishes as anybody could, and waits until it is kept. */
  publish(subject: string, body: unknown): Promise<void>;
}

const STREAM = "TASKWIRE";

/** Connects, and makes the stream where it is missing. `allowDirect` is how the gateway makes it. */
export async function openTaskStream(
  url: string,
  { allowDirect = true, user, password }: { allowDirect?: boolean; user?: string; password?: string } = {},
): Promise<TaskStream> {
  const nc = await connectNats({ url, ...(user === undefined ? {} : { user, password: password ?? "" }) });
  const jsm = await nc.jetstreamManager({ timeout: 1_000 });
  await jsm.streams.add({
    name: STREAM,
    subjects: ["taskwire.task.>"],
    allow_direct: allowDirect,
    duplicate_window: 120_000_000_000,
  });
  const keptAt = async (seq: number): Promise<Kept> => {
    const message = await jsm.streams.getMessage(STREAM, { seq });
    const [, , taskId = "", kind = ""] = message.subject.split(".");
    const header = (name: string) => message.header.get(name);
    return {
      seq,
      taskId,
      kind,
      id: header("Nats-Msg-Id"),
      traceparent: header("traceparent"),
      body: message.json(),
    };
  };
  return {
    async kept() {
      const { state } = await patiently(() => jsm.streams.info(STREAM));
      return await Promise.all(Array.from({ length: state.last_seq }, (_, i) => keptAt(i + 1)));
    },
    async publish(subject, body) {
      await nc.jetstream().publish(subject, JSON.stringify(body));
    },
    [Symbol.asyncDispose]: () => nc.close(),
  };
}

/** What is asked just after a restart, before the client is back, is lost: it is asked again. */
async function patiently<T>(ask: () => Promise<T>, tries = 5): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (tries <= 1) throw error;
    return await patiently(ask, tries - 1);
  }
}
