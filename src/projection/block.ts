import type { Delivery } from "./delivery.ts";

/**
 * A run of the stream's deliveries, in order, that readers of any cursor and any topics share. Who wants but little of it
 * finds that by task and by tag, without looking at the rest.
 */
export class Block {
  readonly #deliveries: Delivery[] = [];
  #byTask: Map<string, number[]> | undefined;
  #byTag: Map<string, number[]> | undefined;
  #bytes = 0;
  #hasLost = false;

  constructor(deliveries: readonly Delivery[] = []) {
    for (const delivery of deliveries) this.push(delivery);
  }

  /** All of them. */
  get deliveries(): readonly Delivery[] {
    return this.#deliveries;
  }

  /** How many there are. */
  get size(): number {
    return this.#deliveries.length;
  }

  /** What they are taken to weigh, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether any task may have gone out of somebody's sight. */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  /** The position of the first; infinite where there is none. */
  get firstSeq(): number {
    return this.#deliveries[0]?.seq ?? Infinity;
  }

  /** The position of the last; 0 where there is none. */
  get lastSeq(): number {
    return this.#deliveries.at(-1)?.seq ?? 0;
  }

  /** Adds a later one. */
  push(delivery: Delivery): void {
    this.#deliveries.push(delivery);
    this.#bytes += delivery.bytes;
    this.#hasLost ||= delivery.formerTags !== undefined;
    if (this.#byTask !== undefined) this.#index(delivery, this.#deliveries.length - 1);
  }

  /** Whether any is of one of these tasks or bears one of these tags. */
  hasAny(tasks: Iterable<string>, tags: Iterable<string>): boolean {
    const { byTask, byTag } = this.#indices();
    for (const id of tasks) if (byTask.has(id)) return true;
    for (const tag of tags) if (byTag.has(tag)) return true;
    return false;
  }

  /** Those of these tasks or with these tags, in order, each once. */
  those(tasks: Iterable<string>, tags: Iterable<string>): readonly Delivery[] {
    const { byTask, byTag } = this.#indices();
    const at = new Set<number>();
    for (const id of tasks) for (const i of byTask.get(id) ?? []) at.add(i);
    for (const tag of tags) for (const i of byTag.get(tag) ?? []) at.add(i);
    return [...at].sort((a, b) => a - b).flatMap((i) => this.#deliveries[i] ?? []);
  }

  /** Made when first asked for: most of what is new is never read again. */
  #indices(): { readonly byTask: Map<string, number[]>; readonly byTag: Map<string, number[]> } {
    if (this.#byTask === undefined || this.#byTag === undefined) {
      this.#byTask = new Map();
      this.#byTag = new Map();
      this.#deliveries.forEach((delivery, i) => this.#index(delivery, i));
    }
    return { byTask: this.#byTask, byTag: this.#byTag };
  }

  #index({ taskId, tags }: Delivery, i: number): void {
    addTo(this.#byTask, taskId, i);
    for (const tag of tags) addTo(this.#byTag, tag, i);
  }
}

function addTo(index: Map<string, number[]> | undefined, key: string, i: number): void {
  const known = index?.get(key);
  if (known === undefined) index?.set(key, [i]);
  else known.push(i);
}
