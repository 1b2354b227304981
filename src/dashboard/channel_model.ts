/** A value of a channel as it came. */
export type ChannelValue = {
  /** Empty where the channel has but one value. */
  readonly key: string;
  readonly payload: unknown;
  /** When it was published, ms since the epoch. */
  readonly atMs: number;
  readonly seq: number;
};

/** What happens to be a candle: what is traded, within a time. */
export type Candle = {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
};

/** That a strategy bought or sold, at the value with this index. */
export type Mark = { readonly index: number; readonly side: "buy" | "sell" };

/** So many keys are held; then the one that changed longest ago goes. */
const MAX_KEYS = 2_000;
/** Of so many keys what came before the last value is held, for the chart. */
const MAX_SERIES = 64;
/** So many values of each of those. */
export const MAX_POINTS = 600;

/** The last value of each key of a channel, and the last few hundred of the first keys. */
export class ChannelModel {
  readonly #last = new Map<string, ChannelValue>();
  readonly #series = new Map<string, ChannelValue[]>();
  #sorted: readonly string[] | undefined;
  #taken = 0;

  /** How many values it took in. */
  get taken(): number {
    return this.#taken;
  }

  /** The keys, sorted. */
  get keys(): readonly string[] {
    return this.#sorted ??= [...this.#last.keys()].sort();
  }

  /** Takes a value in; one that is no newer than what is held of its key changes nothing. */
  take(value: ChannelValue): void {
    const { key, seq } = value;
    const before = this.#last.get(key);
    if (before !== undefined && before.seq >= seq) return;
    this.#taken++;
    if (before === undefined) this.#sorted = undefined;
    this.#last.delete(key);
    this.#last.set(key, value);
    this.#note(value);
    if (this.#last.size <= MAX_KEYS) return;
    const [oldest = ""] = this.#last.keys();
    this.#last.delete(oldest);
    this.#series.delete(oldest);
    this.#sorted = undefined;
  }

  /** The last value of a key. */
  last(key: string): ChannelValue | undefined {
    return this.#last.get(key);
  }

  /** The values of a key that are held, the oldest first. */
  series(key: string): readonly ChannelValue[] {
    const last = this.#last.get(key);
    return this.#series.get(key) ?? (last === undefined ? [] : [last]);
  }

  /** Where among `points` a strategy bought or sold: what another key says of the time that a point names. */
  marks(points: readonly ChannelValue[]): readonly Mark[] {
    const sides = new Map<unknown, Mark["side"]>();
    for (const values of this.#series.values()) {
      for (const { payload } of values) {
        const { side, time } = membersOf(payload);
        if (side === "buy" || side === "sell") sides.set(time, side);
      }
    }
    if (sides.size === 0) return [];
    return points.flatMap(({ payload }, index) => {
      const side = sides.get(membersOf(payload).time);
      return side === undefined ? [] : [{ index, side }];
    });
  }

  #note(value: ChannelValue): void {
    const series = this.#series.get(value.key);
    if (series === undefined) {
      if (this.#series.size < MAX_SERIES) this.#series.set(value.key, [value]);
      return;
    }
    series.push(value);
    // Not at each one: moving them all takes longer than keeping a few more.
    if (series.length > 2 * MAX_POINTS) series.splice(0, series.length - MAX_POINTS);
  }
}

/** The members of an object; none of anything else. */
export function membersOf(payload: unknown): Readonly<Record<string, unknown>> {
  return typeof payload === "object" && payload !== null && !Array.isArray(payload) ? { ...payload } : {};
}

/** Where the number is that a chart shows: a member's name; empty where the payload is one itself. */
export type Field = string;

/** The fields of a payload that are numbers. */
export function fieldsOf(payload: unknown): readonly Field[] {
  if (typeof payload === "number") return [""];
  return Object.entries(membersOf(payload)).flatMap(([name, value]) =>
    typeof value === "number" ? [name] : []
  );
}

/** What people look at first. */
const PREFERRED = ["equity", "close", "price", "value"];

/** The field that is shown unless somebody chooses another; undefined where none is a number. */
export function mainField(fields: readonly Field[]): Field | undefined {
  return PREFERRED.find((name) => fields.includes(name)) ?? fields[0];
}

/** The number in a field of a payload; undefined where there is none. */
export function numberIn(payload: unknown, field: Field): number | undefined {
  const value = field === "" ? payload : membersOf(payload)[field];
  return typeof value === "number" ? value : undefined;
}

/** The payload as a candle, where it is one. */
export function candleIn(payload: unknown): Candle | undefined {
  const { open, high, low, close } = membersOf(payload);
  const isCandle = typeof open === "number" && typeof high === "number" && typeof low === "number" &&
    typeof close === "number";
  return isCandle ? { open, high, low, close } : undefined;
}

/** The key whose chart is shown unless somebody chooses another: the first of the keys that have the most to show. */
export function mainKey(model: ChannelModel): string | undefined {
  const rank = (key: string): number => {
    const field = mainField(fieldsOf(model.last(key)?.payload));
    if (field === undefined) return -1;
    return PREFERRED.includes(field) ? PREFERRED.length - PREFERRED.indexOf(field) : 0;
  };
  const ranked = model.keys.map((key) => [rank(key), key] as const);
  const best = Math.max(0, ...ranked.map(([rank]) => rank));
  return ranked.find(([rank]) => rank === best)?.[1];
}

/** So many columns a table has for the members of payloads. */
const MAX_COLUMNS = 12;

/** The members that payloads have, as columns of a table; undefined where they are no objects: then each is one text. */
export function columnsOf(payloads: readonly unknown[]): readonly string[] | undefined {
  const names = new Set<string>();
  for (const payload of payloads) {
    const own = Object.keys(membersOf(payload));
    if (own.length === 0) return undefined;
    for (const name of own) names.add(name);
  }
  return names.size === 0 || names.size > MAX_COLUMNS ? undefined : [...names];
}
