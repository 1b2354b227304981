import fc from "fast-check";
import type { GatewayProcess } from "../gateway/gateway_process.ts";
import type { BareNats } from "../gateway/bare_nats.ts";
import { exchange } from "../hostile/raw_http.ts";
import { type Frame, TestClient } from "../websocket_client.ts";
import { type Published, published } from "./events.ts";
import { frames, ID } from "./frames.ts";
import { requests } from "./requests.ts";
import { checkSettings, environments } from "./settings.ts";

/** Something that takes input of any kind. */
export interface Target extends AsyncDisposable {
  readonly name: string;
  /** A property that holds for every input. */
  readonly property: fc.IAsyncProperty<[unknown]> | fc.IProperty<[unknown]>;
}

/** What is not answered by then never will be. */
const ANSWER_MS = 10_000;
/** So many inputs go over one connection, at most. */
const OF_A_CONNECTION = 100;

/** The ids under which messages are answered; the others are those that no id can be read of. */
type Asked = { readonly byId: ReadonlyMap<string, number>; readonly nameless: number };

/** What connections offer, one after the other. Not compression: where one ends while `ws` deflates, Deno 2.9 ends us. */
const OFFERS: readonly (readonly string[])[] = [[], ["taskwire.v1.cbor"], ["taskwire.v1.json"]];

/** Frames of a client, each answered exactly once, by what the schemas of the server's frames allow. */
export function framesTarget(gateway: GatewayProcess, name: string): Target {
  let client: TestClient | undefined;
  let epoch = "";
  let inputs = 0;
  let ids = 0;
  let connections = 0;
  const connected = async (): Promise<TestClient> => {
    if (client !== undefined && !client.isClosed && ++inputs % OF_A_CONNECTION > 0) return client;
    await client?.crash();
    const protocols = OFFERS[connections++ % OFFERS.length] ?? [];
    client = await TestClient.connect(`${gateway.wsUrl}/ws`, { protocols });
    epoch = (await client.next("welcome")).data.epoch;
    return client;
  };
  const property = fc.asyncProperty(frames, async (texts) => {
    const client = await connected();
    const from = client.frames.length;
    const own = texts.map((text) =>
      withoutMarks(text, client).replaceAll(ID, `f${++ids}`).replaceAll("@epoch@", epoch)
    );
    for (const text of own) client.send(text);
    const last = `last_${++ids}`;
    client.send({ type: "ping", id: last });
    const asked = askedBy([...own, JSON.stringify({ type: "ping", id: last })]);
    await answered(client, from, asked);
  });
  return {
    name: `frames to ${name}`,
    // What fast-check makes of it is of no concern to who runs it.
    property: property as unknown as fc.IAsyncProperty<[unknown]>,
    [Symbol.asyncDispose]: async () => await client?.crash(),
  };
}

/** As it is; to CBOR without byte order marks: `cborg`, which reads the answers, leaves them out where a text begins. */
function withoutMarks(text: string, { protocol }: TestClient): string {
  return protocol === "taskwire.v1.cbor" ? text.replaceAll(/\ufeff|\\ufeff/gi, "") : text;
}

function askedBy(texts: readonly string[]): Asked {
  const byId = new Map<string, number>();
  let nameless = 0;
  for (const text of texts) {
    const id = idOf(text);
    if (id === undefined) nameless++;
    else byId.set(id, (byId.get(id) ?? 0) + 1);
  }
  return { byId, nameless };
}

function idOf(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text.toWellFormed());
    if (typeof value !== "object" || value === null || Array.isArray(value) || !("id" in value)) {
      return undefined;
    }
    const { id } = value;
    return Object.hasOwn(value, "id") && typeof id === "string" && id.length >= 1 && id.length <= 128
      ? id.toWellFormed() // CBOR has no half characters
      : undefined;
  } catch {
    return undefined;
  }
}

/** Waits until all are answered, or the connection was closed for too many invalid ones. Throws at whatever is wrong. */
async function answered(client: TestClient, from: number, asked: Asked): Promise<void> {
  const late = setTimeout(() => void client.crash(), ANSWER_MS);
  try {
    await client.until((frames) => lacking(frames.slice(from), asked).length === 0);
  } catch (error) {
    const ended = client.isClosed ? await client.ended() : undefined;
    if (ended?.code === 4400) return;
    const what = lacking(client.frames.slice(from), asked).join(", ");
    throw new Error(`Not answered: ${what}; closed with ${ended?.code}: ${error}`, { cause: error });
  } finally {
    clearTimeout(late);
  }
  for (const frame of client.frames.slice(from)) {
    if (frame.type === "error" && frame.error.code === "SERVER_ERROR") throw new Error(JSON.stringify(frame));
  }
}

/** What of `asked` was not answered yet; throws where something was answered too often. */
function lacking(frames: readonly Frame[], { byId, nameless }: Asked): string[] {
  const came = new Map<string, number>();
  let others = 0;
  for (const { id: given, type } of frames) {
    const id = given.toWellFormed();
    if (byId.has(id)) came.set(id, (came.get(id) ?? 0) + 1);
    else if (type === "error") others++;
  }
  const lacks: string[] = [];
  for (const [id, count] of byId) {
    const answers = came.get(id) ?? 0;
    if (answers > count) throw new Error(`Answered ${answers} times: ${id}`);
    if (answers < count) lacks.push(id);
  }
  if (others > nameless) throw new Error(`${others} errors for ${nameless} messages without an id`);
  return others < nameless ? [...lacks, `${nameless - others} without an id`] : lacks;
}

/** What nobody outside is to see: where our files lie, and stacks. */
const INTERNALS = /file:\/\/\/|node_modules\/|\\n {4}at /;

/** Requests over HTTP, each answered, and never as our fault. */
export function requestsTarget(gateway: GatewayProcess, name: string): Target {
  const property = fc.asyncProperty(requests, async (bytes) => {
    const answer = await exchange(gateway.port, bytes);
    const sent = (): string => new TextDecoder().decode(bytes);
    if (answer === undefined) throw new Error(`No answer to ${sent()}`);
    const { status, headers, body } = answer;
    if (status >= 500) throw new Error(`${status} ${body} to ${sent()}`);
    if (INTERNALS.test(body) && headers.get("content-type")?.includes("javascript") !== true) {
      throw new Error(`It tells of its inside: ${body.slice(0, 500)}`);
    }
    if (headers.get("content-type") === "application/problem+json" && body !== "") {
      const problem: { status?: unknown; code?: unknown } = JSON.parse(body);
      if (problem.status !== status || typeof problem.code !== "string") {
        throw new Error(`No problem: ${body}`);
      }
    }
  });
  return {
    name: `requests to ${name}`,
    property: property as unknown as fc.IAsyncProperty<[unknown]>,
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Worker events and values straight onto NATS: whatever they are, the good one after them is told. */
export function eventsTarget(gateway: GatewayProcess, nats: BareNats): Target {
  let watcher: TestClient | undefined;
  let completed = 0;
  let inputs = 0;
  const watching = async (): Promise<TestClient> => {
    if (watcher !== undefined && ++inputs % OF_A_CONNECTION > 0) return watcher;
    await watcher?.crash();
    watcher = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:id:sentinel:progress&replay=none`);
    await watcher.next("subscribed");
    return watcher;
  };
  const property = fc.asyncProperty(published, async (events: readonly Published[]) => {
    const watcher = await watching();
    for (const { subject, body } of events) nats.publish(`taskwire.${subject}`, body);
    const wanted = ++completed;
    nats.publish("taskwire.task.sentinel.progress", JSON.stringify({ completed: wanted }));
    await watcher.until(
      (frames) =>
        frames.some((frame) => frame.type === "task_progress" && frame.data.progress.completed === wanted),
      `the sentinel's progress ${wanted}`,
    );
    if (nats.errors.length > 0) throw new Error(`NATS complains: ${nats.errors.join("; ")}`);
  });
  return {
    name: "worker events on NATS",
    property: property as unknown as fc.IAsyncProperty<[unknown]>,
    [Symbol.asyncDispose]: async () => await watcher?.crash(),
  };
}

/** Settings: never thrown at, and no secret shown. */
export function settingsTarget(): Target {
  return {
    name: "settings",
    property: fc.property(environments, checkSettings) as unknown as fc.IProperty<[unknown]>,
    [Symbol.asyncDispose]: async () => {},
  };
}
