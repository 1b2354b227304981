import { isFile, onPath, run } from "./programs.ts";

/** A program that tests need, and where it is had. */
export type DebianProgram = {
  /** The environment variable that may name it. */
  readonly variable: string;
  /** What it is called on PATH. */
  readonly name: string;
  /** Debian's package, and where the program lies in it. */
  readonly package: string;
  readonly pathInPackage: string;
  /** Other packages that it is no program without; libraries are found by themselves. */
  readonly also?: readonly string[];
  /** What is asked for where it cannot be had: what it is, and how one gets it. */
  readonly wanted: string;
  readonly otherwise?: string;
};

/** What was found. Kept for the life of the process. */
const found = new Map<string, Promise<string>>();

/**
 * The path of a program: the one that its variable names, else the one on PATH, else Debian's package with the libraries
 * that it needs, unpacked below the temporary folder (fetched once, shared by every test file; nothing is installed).
 * Rejects with how to get one: nothing that needs it is passed over where there is none.
 */
export function debianProgram(program: DebianProgram): Promise<string> {
  const known = found.get(program.variable) ?? find(program);
  found.set(program.variable, known);
  return known;
}

/** What an unpacked program has to have in its environment to find the libraries that came with it. */
export function librariesOf(binary: string): Record<string, string> {
  const root = binary.replace(/\/usr\/s?bin\/[^/]+$/, "");
  if (root === "" || root === binary) return {};
  try {
    const folders = [...Deno.readDirSync(`${root}/usr/lib`)].filter(({ name }) => name.includes("-linux-"));
    return { LD_LIBRARY_PATH: folders.map(({ name }) => `${root}/usr/lib/${name}`).join(":") };
  } catch {
    return {}; // it came without
  }
}

async function find(program: DebianProgram): Promise<string> {
  const { variable, name, wanted, otherwise = "" } = program;
  const named = Deno.env.get(variable);
  if (named !== undefined && named !== "") {
    if (isFile(named)) return named;
    throw new Error(`${variable} names ${named}, which is no file`);
  }
  const there = onPath([name]);
  if (there !== undefined) return there;
  try {
    return await unpacked(program, Deno.env.get("TMPDIR") || "/tmp");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `These tests need ${wanted}. Put one on PATH, or name it in ${variable} (Debian and Ubuntu: apt-get install ` +
        `${program.package}${otherwise}). Fetching Debian's package did not work: ${why}`,
      { cause },
    );
  }
}

async function unpacked(program: DebianProgram, tempFolder: string): Promise<string> {
  const cached = cachedBinary(program, tempFolder);
  if (cached !== undefined) return cached;
  const version = await candidateVersion(program.package);
  const folder = `${tempFolder}/taskwire-${program.package}-${version}`;
  const unpacking = await Deno.makeTempDir({ dir: tempFolder, prefix: "taskwire-unpacking-" });
  try {
    const packages = [
      ...new Set([
        program.package,
        ...program.also ?? [],
        ...await missingLibraries(program.package),
      ]),
    ];
    await run("apt-get", ["download", ...packages], { cwd: unpacking });
    const files = [...Deno.readDirSync(unpacking)].map(({ name }) => name).filter((name) =>
      name.endsWith(".deb")
    );
    if (files.length < packages.length) throw new Error("apt-get download left out a .deb file");
    for (const file of files) await run("dpkg", ["-x", file, "unpacked"], { cwd: unpacking });
    try {
      await Deno.rename(`${unpacking}/unpacked`, folder);
    } catch (error) {
      // Another test file was faster; its folder is as good as ours, and whole, because a rename is.
      if (cachedBinary(program, tempFolder) === undefined) throw error;
    }
  } finally {
    await Deno.remove(unpacking, { recursive: true });
  }
  return cachedBinary(program, tempFolder) ??
    fail(`${folder}/${program.pathInPackage} is not in the package`);
}

/** A program unpacked before, by this user or root: nobody else's is run, though anyone can write to /tmp. */
function cachedBinary(program: DebianProgram, tempFolder: string): string | undefined {
  for (const { name } of Deno.readDirSync(tempFolder)) {
    if (!name.startsWith(`taskwire-${program.package}-`)) continue;
    const { uid } = Deno.lstatSync(`${tempFolder}/${name}`);
    const binary = `${tempFolder}/${name}/${program.pathInPackage}`;
    if ((uid === 0 || uid === Deno.uid()) && isFile(binary)) return binary;
  }
  return undefined;
}

/** The shared libraries that a package needs and this machine has not, as an installation would bring them. */
async function missingLibraries(debian: string): Promise<string[]> {
  const plan = await run("apt-get", ["install", "--simulate", "--no-install-recommends", debian]);
  return [...plan.matchAll(/^Inst (lib\S+) /gm)].map(([, name = ""]) => name)
    .filter((name) => !name.startsWith("libjs-"));
}

async function candidateVersion(debian: string): Promise<string> {
  const ask = async () => {
    const policy = await run("apt-cache", ["policy", debian]);
    return /Candidate: (\d\S*)/.exec(policy)?.[1]?.replaceAll(/[^\w.+~-]/g, "_");
  };
  const known = await ask();
  if (known !== undefined) return known;
  if (Deno.uid() !== 0) throw new Error(`apt knows no ${debian}; run apt-get update as root first`);
  await run("apt-get", ["update"]);
  return await ask() ?? fail(`apt knows no ${debian}, even after apt-get update`);
}

function fail(message: string): never {
  throw new Error(message);
}
