import { isFile, onPath, run } from "./programs.ts";

/** Where a nats-server was found or unpacked. Kept for the life of the process. */
let found: Promise<string> | undefined;

/**
 * The path of a nats-server: the one that `NATS_SERVER` names, else the one on PATH, else Debian's package unpacked
 * below the temporary folder (fetched once, shared by every test file). Rejects with how to get one.
 */
export function natsServerBinary(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const named = Deno.env.get("NATS_SERVER");
  if (named !== undefined && named !== "") {
    if (isFile(named)) return named;
    throw new Error(`NATS_SERVER names ${named}, which is no file`);
  }
  const there = onPath(["nats-server"]);
  if (there !== undefined) return there;
  try {
    return await fromDebian(Deno.env.get("TMPDIR") || "/tmp");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      "These tests need a real nats-server, 2.9.10 or later. Put one on PATH, or name it in NATS_SERVER " +
        "(Debian and Ubuntu: apt-get install nats-server; Go: go install github.com/nats-io/nats-server/v2@latest; " +
        `macOS: brew install nats-server). Fetching Debian's package did not work: ${why}`,
      { cause },
    );
  }
}

const CACHE_PREFIX = "taskwire-nats-server-";
const BINARY_IN_PACKAGE = "usr/sbin/nats-server";

async function fromDebian(tempFolder: string): Promise<string> {
  const cached = cachedBinary(tempFolder);
  if (cached !== undefined) return cached;
  const version = await candidateVersion();
  const folder = `${tempFolder}/${CACHE_PREFIX}${version}`;
  const unpacking = await Deno.makeTempDir({ dir: tempFolder, prefix: "taskwire-unpacking-" });
  try {
    await run("apt-get", ["download", "nats-server"], { cwd: unpacking });
    const names = [...Deno.readDirSync(unpacking)].map((entry) => entry.name);
    const debFile = names.find((name) => name.endsWith(".deb"));
    if (debFile === undefined) throw new Error("apt-get download left no .deb file");
    await run("dpkg", ["-x", debFile, "unpacked"], { cwd: unpacking });
    try {
      await Deno.rename(`${unpacking}/unpacked`, folder);
    } catch (error) {
      // Another test file was faster; its folder is as good as ours, and whole, because a rename is.
      if (cachedBinary(tempFolder) === undefined) throw error;
    }
  } finally {
    await Deno.remove(unpacking, { recursive: true });
  }
  return cachedBinary(tempFolder) ?? fail(`${folder}/${BINARY_IN_PACKAGE} is not in the package`);
}

/** A server unpacked before, by this user or root: nobody else's is run, though anyone can write to /tmp. */
function cachedBinary(tempFolder: string): string | undefined {
  for (const { name } of Deno.readDirSync(tempFolder)) {
    if (!name.startsWith(CACHE_PREFIX)) continue;
    const { uid } = Deno.lstatSync(`${tempFolder}/${name}`);
    const binary = `${tempFolder}/${name}/${BINARY_IN_PACKAGE}`;
    if ((uid === 0 || uid === Deno.uid()) && isFile(binary)) return binary;
  }
  return undefined;
}

async function candidateVersion(): Promise<string> {
  const ask = async () => {
    const policy = await run("apt-cache", ["policy", "nats-server"]);
    return /Candidate: (\d\S*)/.exec(policy)?.[1]?.replaceAll(/[^\w.+~-]/g, "_");
  };
  const known = await ask();
  if (known !== undefined) return known;
  if (Deno.uid() !== 0) throw new Error("apt knows no nats-server; run apt-get update as root first");
  await run("apt-get", ["update"]);
  return await ask() ?? fail("apt knows no nats-server, even after apt-get update");
}

function fail(message: string): never {
  throw new Error(message);
}
