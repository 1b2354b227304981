/** A known fault: in `file`, what is there becomes something else. */
export type Mutant = {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
};

/** Faults that are easily made, each of which the simulation has to find. */
export const MUTANTS: readonly Mutant[] = [];

const ROOT = new URL("../../", import.meta.url);

/** Puts each mutant into a copy of the source and runs so many seeds on it; whether all were found. */
export async function findMutants(seeds: number, print: (line: string) => void): Promise<boolean> {
  let isEachFound = true;
  for (const mutant of MUTANTS) {
    const found = await seedThatFinds(mutant, seeds);
    isEachFound &&= found !== undefined;
    print(`${found === undefined ? "NOT FOUND" : `found by seed ${found}`.padEnd(20)} ${mutant.name}`);
  }
  return isEachFound;
}

/** The first seed that fails with this mutant; undefined where none of them does. */
async function seedThatFinds({ file, from, to }: Mutant, seeds: number): Promise<number | undefined> {
  const copy = await Deno.makeTempDir({ prefix: "taskwire-mutant-" });
  try {
    for (const name of ["deno.json", "deno.lock", "src", "tests"]) {
      await copied(new URL(name, ROOT).pathname, `${copy}/${name}`);
    }
    const source = await Deno.readTextFile(`${copy}/${file}`);
    if (source.split(from).length !== 2) throw new Error(`${file} does not have exactly once: ${from}`);
    await Deno.writeTextFile(`${copy}/${file}`, source.replace(from, () => to));
    return await firstFailing(copy, seeds);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

async function firstFailing(copy: string, seeds: number): Promise<number | undefined> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "tests/simulation/main.ts", "--seeds", String(seeds)],
    cwd: copy,
    stderr: "null",
    signal: AbortSignal.timeout(600_000),
  }).output();
  if (code === 0) return undefined;
  const [, seed] = /"seed":(\d+)/.exec(new TextDecoder().decode(stdout)) ?? [];
  return Number(seed ?? Number.NaN); // one that hangs is found too, by no seed in particular
}

async function copied(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copied(`${from}/${name}`, `${to}/${name}`);
}
