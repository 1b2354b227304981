import type { Bench } from "./bench.ts";
import { median } from "./statistics.ts";

/** What one run of a contender measured, by name. */
export type Measures = Readonly<Record<string, number>>;

/** Something that is measured: the gateway, a peer, the floor. `before` are the measures of those before it. */
export type Contender = (bench: Bench, before: Readonly<Record<string, Measures>>) => Promise<Measures>;

/** A line of the results. */
export type Row = {
  /** What is compared, beside the scenario's title. */
  readonly what: string;
  readonly ours: string;
  readonly peers: string;
  readonly floor: string;
  readonly ratio: string;
  readonly target: string;
  /** Undefined where the row has no target of its own. */
  readonly met: boolean | undefined;
};

/** A scenario: what is run, against whom, and what it must reach. */
export type Scenario = {
  /** As on the command line and in the results. */
  readonly name: string;
  readonly title: string;
  /** How it is run, in a sentence or two. */
  readonly about: string;
  /** Each runs once an alternation, in this order. */
  readonly contenders: Readonly<Record<string, Contender>>;
  /** Pure: what the measures come to. */
  readonly rows: (measured: Measured) => readonly Row[];
};

/** The measures of every alternation. */
export class Measured {
  readonly #alternations: readonly Readonly<Record<string, Measures>>[];

  constructor(alternations: readonly Readonly<Record<string, Measures>>[]) {
    this.#alternations = alternations;
  }

  /** The median of what was measured of a contender; NaN where it was not. */
  of(contender: string, measure: string): number {
    return median(this.#alternations.flatMap((run) => run[contender]?.[measure] ?? []));
  }

  /** The largest that was measured. */
  worst(contender: string, measure: string): number {
    return Math.max(...this.#alternations.flatMap((run) => run[contender]?.[measure] ?? []));
  }

  /** The median of the ratios of one contender to another, each of one alternation: the machine drifts. */
  ratio(contender: string, to: string, measure: string): number {
    return median(this.#alternations.flatMap((run) => {
      const [above, below] = [run[contender]?.[measure], run[to]?.[measure]];
      return above === undefined || below === undefined ? [] : [above / below];
    }));
  }
}
