/** One measured value: its name, its labels and what it is. */
export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+([-+]?(?:[\d.][\d.eE+-]*|Inf)|NaN)(?:\s+\d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a text in Prometheus's format. Lines that are none are passed over. */
export function parseSamples(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const pairs = [...labels.matchAll(LABEL)].map(([, key = "", quoted = ""]) => [key, unescaped(quoted)]);
    samples.push({ name, labels: Object.fromEntries(pairs), value: numberOf(value) });
  }
  return samples;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_all, char: string) => char === "n" ? "\n" : char);
}

function numberOf(text: string): number {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}

/** The sum of the samples of that name, of those with these labels where any are given; null where there are none. */
export function sum(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const wanted = Object.entries(labels);
  const found = samples.filter((sample) =>
    // A counter's name may end with `_total`.
    (sample.name === name || sample.name === `${name}_total`) &&
    wanted.every(([key, value]) => sample.labels[key] === value)
  );
  return found.length === 0 ? null : found.reduce((total, { value }) => total + value, 0);
}
