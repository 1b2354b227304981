import { isFile, onPath, run } from "../programs.ts";

/** The browsers that pages are tried in. */
export type BrowserName = "chromium" | "firefox";

/** Where each is named, what it is called on PATH, and Debian's package of it. */
const BROWSERS: Readonly<
  Record<BrowserName, { variable: string; programs: readonly string[]; package: string }>
> = {
  chromium: {
    variable: "CHROMIUM",
    programs: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
    package: "chromium",
  },
  firefox: { variable: "FIREFOX", programs: ["firefox-esr", "firefox"], package: "firefox-esr" },
};

/** What was found. Kept for the life of the process. */
const found = new Map<BrowserName, Promise<string>>();

/**
 * The path of a browser: the one that `CHROMIUM` or `FIREFOX` names, else the one on PATH, else Debian's package, which
 * root may install. Rejects with how to get one: nothing that needs a browser is passed over where there is none.
 */
export function browserBinary(name: BrowserName): Promise<string> {
  const known = found.get(name) ?? find(name);
  found.set(name, known);
  return known;
}

async function find(name: BrowserName): Promise<string> {
  const { variable, programs, package: debian } = BROWSERS[name];
  const named = Deno.env.get(variable);
  if (named !== undefined && named !== "") {
    if (isFile(named)) return named;
    throw new Error(`${variable} names ${named}, which is no file`);
  }
  const there = onPath(programs);
  if (there !== undefined) return there;
  try {
    await install(debian);
    return onPath(programs) ?? fail(`the package ${debian} has no program ${programs[0]}`);
  } catch (cause) {
    // Another test file may have been installing it at the same time.
    const after = onPath(programs);
    if (after !== undefined) return after;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `These tests need a real browser, ${name}. Put one on PATH, or name it in ${variable} (Debian: apt-get install ` +
        `${debian}, which root's tests do by themselves). Installing it did not work: ${why}`,
      { cause },
    );
  }
}

async function install(debian: string): Promise<void> {
  if (Deno.uid() !== 0) throw new Error("only root may");
  const policy = await run("apt-cache", ["policy", debian]);
  if (!/Candidate: \d/.test(policy)) await run("apt-get", ["update"]);
  const patience = "DPkg::Lock::Timeout=600"; // s
  await run("apt-get", ["install", "--yes", "--no-install-recommends", "-o", patience, debian], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
}

function fail(message: string): never {
  throw new Error(message);
}
