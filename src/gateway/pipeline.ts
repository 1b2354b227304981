import { Namespaces } from "../channel/namespaces.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionCounts, ConnectionDeps } from "../connection/connection_deps.ts";
import { type Appended, type Entry, type EventLog, LogError, type NewEntry } from "../log/event_log.ts";
import { builtIn } from "../plugins/built_in.ts";
import { insist } from "./insist.ts";
import { pluginGateway } from "./plugin_gateway.ts";
import { isOfTheLog } from "../plugins/guarded.ts";
import { PluginHost } from "../plugins/plugin_host.ts";
import { Liveness } from "../liveness/liveness.ts";
import { MessageRegistry } from "../messages/message_registry.ts";
import { Cancels } from "../projection/cancels.ts";
import type { Authenticator } from "../access/authenticator.ts";
import { History, PAGE } from "../projection/history.ts";
import { PastQueries } from "../projection/past_queries.ts";
import { Projection } from "../projection/projection.ts";
import { Publishing } from "../projection/publishing.ts";
import { TaskQueries } from "../projection/queries.ts";
import { VisibleChannels } from "../projection/visible_channels.ts";
import { VisibleTasks } from "../projection/visible_tasks.ts";
import { UNDER_WAY_FACTOR } from "../projection/task_table.ts";
import { PageBatches } from "../router/page_batches.ts";
import { type Clock, Router, type RouterCounts } from "../router/router.ts";
import type { Settings } from "../settings/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** What the pipeline is built from. */
export type PipelineOptions = {
  readonly log: EventLog;
  readonly settings: Settings;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Judges the tokens that connections show. */
  readonly gate: Authenticator;
  /** The connections that have to hear of it when the projection was built anew. */
  readonly connections: () => Iterable<Connection>;
  /** Chance, from 0 to below 1. Default: the machine's. */
  readonly random?: () => number;
};

const RESTART_MS = 500;

/** Memory for where each task's events lie, so that its history is found without a search: some 300,000 short tasks. */
const WHEREABOUTS_BYTES = 67_108_864;

/**
 * Log → projection → router: follows the log and hands each batch on, and builds everything anew when the stream
 * became another one or retention overtook us.
 */
export class Pipeline implements AsyncDisposable {
  readonly log: EventLog;
  readonly projection: Projection;
  readonly router: Router;
  readonly history: History;
  /** What may be asked about tasks, by whom. */
  readonly tasks: VisibleTasks;
  /** The channels that there are, for whom. */
  readonly channels: VisibleChannels;
  /** The namespaces of channels. */
  readonly namespaces: Namespaces;
  /** Where values go to channels. */
  readonly publishing: Publishing;
  /** What extends this gateway. */
  readonly plugins: PluginHost;
  readonly messages: MessageRegistry = new MessageRegistry();
  readonly pageBatches: PageBatches = new PageBatches();
  readonly counts: RouterCounts;
  readonly appends = { stored: 0, duplicate: 0, overtaken: 0, failed: 0 };
  /** Who looks after the tasks at work; undefined where they may be silent for ever. */
  readonly liveness: Liveness | undefined;
  readonly #options: PipelineOptions;
  readonly #stop = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #learning: Promise<void> = Promise.resolve();
  #callOffExpiry: () => void = () => {};
  #booted = false;
  #epoch = "";
  #warned = false;
  #reachable = true;
  /** Whether what follows the log has failed, and has not gone on for a while since. */
  #failing = false;

  constructor(options: PipelineOptions) {
    const { log, settings, telemetry, clock } = options;
    this.#options = options;
    this.log = log;
    this.namespaces = new Namespaces([], { areChannels: settings.partition === undefined });
    this.projection = new Projection(log, {
      namespaces: this.namespaces,
      insist: (read, namespace) =>
        insist(read, {
          clock,
          signal: this.#stop.signal,
          failed: (error) =>
            telemetry.log.warn("Channels are asked of the log each time, for now", { namespace, error }),
        }),
      maxTasks: settings.maxTasks,
      tail: { maxEvents: settings.tailEvents, maxBytes: settings.tailBytes },
      // The embedded log has an index of its own.
      ...(settings.nats === undefined
        ? {}
        : { whereabouts: { perSubject: settings.retainPerSubject, maxBytes: WHEREABOUTS_BYTES } }),
    });
    this.counts = {
      flushes: 0,
      frames: 0,
      bytes: 0,
      writes: 0,
      lag: telemetry.measures.lag,
      around: (flush) => telemetry.spans.span("flush", {}, () => timed(flush, telemetry.measures.flush)),
    };
    this.router = new Router({ clock, flushMs: settings.flushMs, head: 0, counts: this.counts });
    this.history = new History(log, this.projection, { ...PAGE, atOnce: settings.maxReplays });
    const retained = { retainPerSubject: settings.retainPerSubject, now: () => clock.elapsed() };
    const queries = new TaskQueries(log, this.projection, this.history, retained);
    const past = new PastQueries(log, this.projection, retained);
    const cancels = new Cancels(this.projection, (entries) => this.append(entries));
    const { partition } = settings;
    this.tasks = new VisibleTasks({ queries, past, cancels, turns: this.history.turns, partition });
    this.channels = new VisibleChannels({
      projection: this.projection,
      turns: this.history.turns,
      after: (delayMs, run) => clock.after(delayMs, run),
    });
    this.liveness = settings.staleAfterMs === 0 ? undefined : this.#liveness();
    const { namespaces } = this;
    this.publishing = new Publishing((entries) => this.append(entries), namespaces);
    this.plugins = this.#pluginHost();
    const { publishing, tasks } = this;
    const asked = { queries, tasks, gate: options.gate, publishing, namespaces, partition };
    for (const plugin of builtIn(asked)) this.plugins.add(plugin, { isBuiltIn: true });
  }

  /** Whether the state was built, so that clients can be served. */
  get booted(): boolean {
    return this.#booted;
  }

  /** The life of the stream that the positions of what is flushed belong to. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Whether the log is in reach. */
  get reachable(): boolean {
    return this.#reachable;
  }

  /** Why this gateway is not ready; empty when it is. */
  get reasons(): string[] {
    return [
      ...(this.#booted ? [] : ["catching up with the log"]),
      ...(this.#reachable ? [] : ["the log is out of reach"]),
      ...(this.#failing ? ["the log cannot be followed"] : []),
    ];
  }

  /** Builds the state, trying until it works, and goes on to follow the log. Rejects where the log is damaged. */
  async start(): Promise<void> {
    await this.#rebuild();
    this.#booted = true;
    this.#following = this.#follow();
    this.#expireLater();
    this.#learn();
    this.liveness?.start();
  }

  #pluginHost(): PluginHost {
    const { telemetry, clock, connections } = this.#options;
    return new PluginHost({
      messages: this.messages,
      namespaces: this.namespaces,
      gateway: pluginGateway({
        projection: this.projection,
        turns: this.history.turns,
        publishing: this.publishing,
        append: (entries) => this.append(entries),
      }),
      clock,
      came: (namespace) => void this.projection.came(namespace), // insists, and never rejects
      withdrawn: (namespace) => {
        for (const connection of connections()) connection.withdrawn(namespace);
      },
      failed: (plugin, error) =>
        void telemetry.incident(`plug-in ${plugin}`, error, isOfTheLog(error) ? "world" : "ours"),
      disabled: (plugin, why) =>
        telemetry.log.warn("A plug-in is disabled: it fails too often", { plugin, why }),
    });
  }

  #liveness(): Liveness {
    const { log, settings, telemetry, clock, random = Math.random } = this.#options;
    return new Liveness({
      log,
      projection: this.projection,
      append: (entries) => this.append(entries),
      clock,
      random,
      staleAfterMs: settings.staleAfterMs,
      reapAfterMs: settings.reapAfterMs,
      isListening: () => this.#reachable,
      onTrouble: (error) => telemetry.log.warn("Cannot say which tasks are stale", { error }),
    });
  }

  /** Appends for clients, and counts. */
  async append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    try {
      const appended = await this.log.append(entries);
      for (const outcome of appended) this.appends[nameOf(outcome)]++;
      return appended;
    } catch (error) {
      this.appends.failed += entries.length;
      throw error;
    }
  }

  /** What connections work with. */
  connectionDeps(counts: ConnectionCounts, welcome: ConnectionDeps["welcome"]): Omit<
    ConnectionDeps,
    "moved" | "noteDepth"
  > {
    const { settings, clock, telemetry } = this.#options;
    return {
      projection: this.projection,
      history: this.history,
      router: this.router,
      pageBatches: this.pageBatches,
      messages: this.messages,
      clock,
      limits: {
        maxTopics: settings.maxTopics,
        rate: { perSecond: settings.messagesPerSecond, burst: settings.messagesBurst },
        authMs: settings.authTimeoutMs,
      },
      welcome,
      counts,
      incident: (error, connectionId) => {
        const whose = error instanceof LogError ? "world" : "ours";
        return telemetry.incident(`connection ${connectionId}`, error, whose);
      },
    };
  }

  /** Stops following, and flushes what is pending. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#callOffExpiry();
    await this.liveness?.[Symbol.asyncDispose]();
    await Promise.all([this.#following, this.#learning]);
    this.router.flushAll();
    this.router.stop();
  }

  /**
   * Builds the state, trying until it works, and tells every connection where it is another one: all in the turn in which it
   * becomes that, since nobody may meet positions of the one state in the other.
   */
  async #rebuild(): Promise<void> {
    const { telemetry, clock, connections } = this.#options;
    const built = ({ isWhole }: { readonly isWhole: boolean }): void => {
      const { head, epoch } = this.projection;
      const served = this.router.reset(head, isWhole);
      const isAnother = epoch !== this.#epoch;
      this.#epoch = epoch;
      if (!this.#booted) return;
      // Whatever it was that we noticed: in another life of the stream no position means what it did; and in the same one each does,
      // and who was told of that life once has been told of its values.
      const why = isAnother ? "epoch" : "retention";
      for (const connection of connections()) connection.rebuilt(why, served.get(connection) ?? head);
    };
    while (!this.#stop.signal.aborted) {
      try {
        await telemetry.spans.span("boot", {}, () => this.projection.boot(built));
        this.plugins.began();
        return this.#warnOfRoom();
      } catch (error) {
        // Nobody is served yet, and trying again does not mend it.
        if (!this.#booted && error instanceof LogError && error.code === "damaged") throw error;
        telemetry.log.warn("Cannot read the log yet", { error });
        await new Promise<void>((resolve) => clock.after(RESTART_MS, resolve));
      }
    }
  }

  /** Now and then lets go of what retention took, so that all gateways tell of the same tasks. */
  #expireLater(): void {
    this.#callOffExpiry = this.#options.clock.after(this.#expiryMs(), () => {
      this.log.extent().then(({ firstSeq, epoch }) => {
        if (epoch !== this.projection.epoch) return;
        this.router.publish([], this.projection.head, this.projection.expire(firstSeq));
        this.history.expire(firstSeq);
        this.pageBatches.expire(firstSeq);
        this.router.removals.looked(this.projection.head);
      }, () => {}) // out of reach: next time
        .finally(() => !this.#stop.signal.aborted && this.#expireLater());
    });
  }

  /** A tenth of the age that events reach, within half a second and half a minute. */
  #expiryMs(): number {
    return Math.min(30_000, Math.max(500, this.#options.settings.retainAgeMs / 10));
  }

  #learn(): void {
    const { telemetry } = this.#options;
    this.#learning = this.projection.learnWhereabouts(this.#stop.signal).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) telemetry.log.warn("Cannot walk over the log", { error });
    });
  }

  async #follow(): Promise<void> {
    const { telemetry, clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const from = { epoch: this.projection.epoch, after: this.projection.head };
      const callOff = clock.after(2 * RESTART_MS, () => this.#failing = false);
      try {
        for await (const followed of this.log.follow(from, signal)) {
          switch (followed.kind) {
            case "entries":
              await this.#apply(followed.entries);
              break;
            case "missed":
              await this.#missed(followed.from, followed.to);
              break;
            case "epoch":
              telemetry.log.warn("The stream is another one now", { epoch: followed.extent.epoch });
              await this.#startOver();
              break;
            case "reachable":
              this.#reachable = followed.reachable;
              telemetry.log.info(
                followed.reachable ? "The log is in reach again" : "The log is out of reach",
              );
              break;
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#failing = true;
        telemetry.incident("following the log", error);
        await new Promise<void>((resolve) => clock.after(RESTART_MS, resolve));
      } finally {
        callOff();
      }
    }
  }

  /** Hands one batch on. Its span is linked to those of the workers whose events are in it. */
  async #apply(entries: readonly Entry[]): Promise<void> {
    const links = entries.flatMap(({ traceparent }) => traceparent ?? []);
    const attributes = { "taskwire.entries": entries.length, "taskwire.last_seq": entries.at(-1)?.seq ?? 0 };
    await this.#options.telemetry.spans.span("follow batch", { attributes, links }, async () => {
      const { deliveries, removed } = await this.projection.apply(entries);
      this.router.publish(deliveries, this.projection.head, removed);
      this.plugins.told(deliveries);
    });
    this.#warnOfRoom();
  }

  /** Says once that tasks under way are more than there is room for. */
  #warnOfRoom(): void {
    if (this.#warned || this.projection.counts.evictedUnderWay === 0) return;
    this.#warned = true;
    const { telemetry, settings } = this.#options;
    telemetry.log.warn(
      "More tasks are under way than there is room for: snapshots and lists leave out those silent longest",
      { max_tasks: settings.maxTasks, held: UNDER_WAY_FACTOR * settings.maxTasks },
    );
  }

  /**
   * Positions are gone that we never read. Above the first retained one it was the cap on each subject that took them:
   * then the same task said the same kind of thing again since, and nothing is lost that would still count.
   */
  async #missed(from: number, to: number): Promise<void> {
    const { firstSeq } = await this.log.extent();
    if (from >= firstSeq) return;
    this.#options.telemetry.log.warn("Retention took events before they were read", { from, to });
    await this.#startOver();
  }

  /** Builds the state anew and tells every connection. */
  async #startOver(): Promise<void> {
    await this.#rebuild();
    this.#learn();
  }
}

function nameOf({ duplicate, overtaken }: Appended): "stored" | "duplicate" | "overtaken" {
  return overtaken === true ? "overtaken" : duplicate ? "duplicate" : "stored";
}

/** Notes how many ms `work` took. */
function timed(work: () => void, note: (ms: number) => void): void {
  const startedMs = performance.now();
  work();
  note(performance.now() - startedMs);
}
