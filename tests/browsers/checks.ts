import { equal, refusal, type Trial, until, Watched } from "./trial.ts";

/** What a client must do wherever it runs. Each has tasks of its own. */
export const CHECKS: readonly (readonly [name: string, check: (trial: Trial) => Promise<void>])[] = [
  ["it says that it connects, and that it is connected", connects],
  ["a subscription starts with the present state, and then is live", startsWithPresent],
  ["status changes come in order, each once", keepsOrder],
  ["several subscriptions to one task are each told each event once", tellsEachOnce],
  ["what is asked for in one turn goes as one request", asksOnce],
  ["nothing comes of what was unsubscribed from", unsubscribes],
  ["tasks, lists and histories are answered, and what is not there is an error", answers],
  ["a topic that is none is told as an error, and others are not touched", refusesTopics],
  ["the store of a task keeps its snapshot until something changes", keepsSnapshots],
  ["the store of tasks follows those that fit", followsTasks],
  ["when the gateway is killed and started again no status is lost, and none comes twice", survivesKill],
  ["a gateway that goes away in order is found again, and nothing is missing", outlivesDrain],
  ["a client that is closed asks nothing more, and says so", closes],
];

async function connects(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  const states: string[] = [client.state.kind];
  client.onState(({ kind }) => states.push(kind));
  await until("it is open", () => client.state.kind === "open", () => states);
  equal(states, ["connecting", "open"]);
}

async function startsWithPresent(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  await trial.published(client, "present", ["started"], ["progress", { total: 10, completed: 3 }]);
  const watched = await Watched.live(client, "task:id:present");
  const [status] = watched.frames.flatMap((frame) => frame.type === "task_status" ? [frame.data] : []);
  equal([status?.status, status?.progress.completed], ["running", 3]);
  equal(watched.frames.at(-1)?.type, "caught_up");
  await trial.publish(["present", "progress", { total: 10, completed: 4 }]);
  await until("progress comes", () => {
    const last = watched.frames.at(-1);
    return last?.type === "task_progress" && last.data.progress.completed === 4;
  }, () => watched.frames);
}

async function keepsOrder(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  const watched = await Watched.live(client, "task:id:order:status");
  const kinds = ["created", "started", "paused", "resumed", "cancel_requested", "completed"];
  await trial.publish(...kinds.map((kind) => ["order", kind] as const));
  await watched.wasTold("pending", "running", "paused", "running", "cancelling", "completed");
}

async function tellsEachOnce(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  const first = await Watched.live(client, "task:id:twice");
  await trial.publish(["twice", "started"]);
  await first.wasTold("running");
  const late = new Watched(client, ["task:id:twice", "task:status"]);
  await until("both are live", () => late.live);
  await trial.publish(["twice", "paused"], ["twice", "failed", { error: { message: "no more" } }]);
  await first.wasTold("running", "paused", "failed");
  const ofTask = late.frames.filter(({ type, data }) => type === "task_status" && data.task_id === "twice");
  equal(ofTask.map(({ data }) => "status" in data && data.status), ["running", "paused", "failed"]);
  equal(late.ids, [...new Set(late.ids)]);
}

async function asksOnce(trial: Trial): Promise<void> {
  const { client, sent } = trial.connect();
  // Before it is open everything waits anyway.
  await until("it is open", () => client.state.kind === "open");
  const watched = ["one", "two", "one"].map((id) => new Watched(client, `task:id:${id}`));
  await until("all are live", () => watched.every(({ live }) => live));
  const asked = sent.filter(({ type }) => type === "subscribe").map(({ data }) => data["topics"]);
  equal(asked, [["task:id:one", "task:id:two"]]);
}

async function unsubscribes(trial: Trial): Promise<void> {
  const { client, sent } = trial.connect();
  const [left, stays] = [
    await Watched.live(client, "task:id:left"),
    await Watched.live(client, "task:id:stays"),
  ];
  left.unsubscribe();
  await until("it is given back", () => sent.some(({ type }) => type === "unsubscribe"));
  const before = left.frames.length;
  await trial.publish(["left", "started"], ["stays", "started"]);
  await stays.wasTold("running");
  equal(left.frames.length, before);
}

async function answers(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  equal(await refusal(client.getTask("asked")), "TASK_NOT_FOUND");
  await trial.published(client, "asked", ["created", { name: "Asked", tags: ["answers"] }], ["started"]);
  const task = await client.getTask("asked");
  equal([task.task_id, task.name, task.status], ["asked", "Asked", "running"]);
  const { tasks, total } = await client.getTasks({ tag: "answers" });
  equal([tasks.map(({ task_id: id }) => id), total], [["asked"], 1]);
  const { events, next_after_seq: next } = await client.getHistory("asked", { limit: 1 });
  equal(events.map(({ kind, body }) => [kind, body]), [["created", { name: "Asked", tags: ["answers"] }]]);
  const rest = await client.getHistory("asked", { afterSeq: next ?? 0 });
  equal(rest.events.map(({ kind }) => kind), ["started"]);
}

async function refusesTopics(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  const [wrong, right] = [new Watched(client, "task:nonsense"), new Watched(client, "task:id:right")];
  await until("the right one is live", () => right.live);
  equal(wrong.errors.map(({ code }) => code), ["TOPIC_NOT_FOUND"]);
  equal([wrong.live, right.errors], [false, []]);
  await trial.publish(["right", "started"]);
  await right.wasTold("running");
}

async function keepsSnapshots(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  const store = client.task("stored");
  equal([client.task("stored") === store, store.getSnapshot() === store.getSnapshot()], [true, true]);
  const { status, isStale, task } = store.getSnapshot();
  equal([status, isStale, task], [undefined, true, undefined]);
  // Handed over as frameworks do, without their object.
  const { subscribe, getSnapshot } = store;
  let told = 0;
  const unsubscribe = subscribe(() => told++);
  await until("it is not stale", () => !getSnapshot().isStale);
  const before = [getSnapshot(), told] as const;
  await trial.publish(["another", "started"]);
  await trial.published(client, "stored", ["started"], ["progress", { total: 4, completed: 1 }]);
  await until("its progress is there", () => getSnapshot().progress?.completed === 1);
  const after = getSnapshot();
  equal([after === before[0], told > before[1], after.status, after.connection], [
    false,
    true,
    "running",
    "open",
  ]);
  equal([getSnapshot() === after, after.progress?.percentage], [true, 25]);
  unsubscribe();
  const quiet = told;
  await trial.published(client, "stored", ["completed"]);
  equal([told, getSnapshot().isStale], [quiet, true], "nobody listens any more");
}

async function followsTasks(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  await trial.published(client, "list-1", ["created", { tags: ["listed"] }], ["started"]);
  const store = client.tasks({ tag: "listed" });
  equal(client.tasks({ tag: "listed" }) === store, true);
  const unsubscribe = store.subscribe(() => {});
  const ids = () => store.getSnapshot().tasks.map(({ task_id: id, status }) => `${id} ${status}`);
  await until("it is loaded", () => !store.getSnapshot().isLoading && !store.getSnapshot().isStale);
  equal(ids(), ["list-1 running"]);
  const before = store.getSnapshot();
  equal(store.getSnapshot() === before, true);
  await trial.publish(["list-2", "created", { tags: ["listed"] }], ["list-1", "completed"], [
    "list-3",
    "created",
  ]);
  const expected = JSON.stringify(["list-2 pending", "list-1 completed"]);
  await until("it follows", () => JSON.stringify(ids()) === expected, ids);
  unsubscribe();
}

async function survivesKill(trial: Trial): Promise<void> {
  const { client, sent } = trial.connect({ requestTimeoutMs: 60_000 });
  const store = client.task("killed");
  const unsubscribe = store.subscribe(() => {});
  const watched = await Watched.live(client, "task:id:killed");
  await trial.publish(["killed", "created"], ["killed", "started"]);
  await watched.wasTold("pending", "running");
  equal(store.getSnapshot().isStale, false);
  await trial.killGateway();
  await until("it is noticed", () => client.state.kind !== "open" && store.getSnapshot().isStale);
  equal([watched.live, store.getSnapshot().status, store.getSnapshot().connection === "open"], [
    false,
    "running",
    false,
  ]);
  const asked = client.getTask("killed");
  await trial.publish(
    ["killed", "paused"],
    ["killed", "resumed"],
    ["killed", "progress", { total: 8, completed: 7 }],
    ["killed", "failed", { error: { message: "one was broken" } }],
    ["killed", "started", { attempt: 2 }],
    ["killed", "completed", { attempt: 2, progress: { total: 8, completed: 8 } }],
  );
  await trial.startGateway();
  await watched.wasTold("pending", "running", "paused", "running", "failed", "running", "completed");
  equal((await asked).status, "completed", "what was asked meanwhile is answered");
  await until("it is not stale", () => !store.getSnapshot().isStale && watched.live);
  const { status, progress, connection } = store.getSnapshot();
  equal([status, progress?.completed, connection], ["completed", 8, "open"]);
  const [first, again, ...more] = sent.filter(({ type }) => type === "subscribe").map(({ data }) => data);
  equal([first?.["replay"], typeof first?.["since"]], ["latest", "undefined"]);
  equal([typeof again?.["since"], more.length], ["object", 0], "it went on from its cursor");
  unsubscribe();
}

async function outlivesDrain(trial: Trial): Promise<void> {
  const { client } = trial.connect();
  const states: string[] = [];
  client.onState(({ kind }) => states.push(kind));
  const watched = await Watched.live(client, "task:id:drained:status");
  await trial.publish(["drained", "started"]);
  await watched.wasTold("running");
  await trial.stopGateway();
  await trial.publish(["drained", "paused"], ["drained", "cancelled"]);
  await trial.startGateway();
  await watched.wasTold("running", "paused", "cancelled");
  await until("it is live", () => watched.live);
  equal([states.at(0), states.at(-1), states.includes("closed")], ["open", "open", false]);
}

async function closes(trial: Trial): Promise<void> {
  const { client, sent } = trial.connect();
  const watched = await Watched.live(client, "task:id:closing");
  const states: string[] = [];
  client.onState(({ kind }) => states.push(kind));
  const pending = refusal(client.getHistory("closing"));
  client.close();
  equal([await pending, await refusal(client.getTask("closing"))], ["CLOSED", "CLOSED"]);
  equal([states, client.state.kind, watched.live], [["closed"], "closed", false]);
  const before = sent.length;
  new Watched(client, "task:id:more");
  client.close();
  // Long after a client that comes back would have: its first wait is 50 ms at most.
  await new Promise((resolve) => setTimeout(resolve, 200));
  equal([sent.length, states], [before, ["closed"]]);
}
