import * as v from "valibot";
import { deployed } from "./deployed.ts";

/** An instruction of a Dockerfile. */
type Instruction = { readonly name: string; readonly rest: string };

/** What the image is made of, as far as it can be had without Docker. */
export type Image = {
  /** Files and folders of the project that are copied in, from its root. */
  readonly sources: readonly string[];
  /** What of those is left out, by the names of folders. */
  readonly leftOut: readonly string[];
  /** The shell's command that fetches the packages and makes folders. */
  readonly build: string;
  /** The command that runs, and the one that looks whether it lives: the arguments of `deno`. */
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string;
  readonly denoVersion: string;
};

const Words = v.array(v.string());

/** Reads `deploy/docker/Dockerfile`. Throws where it is not made as this expects it. */
export async function image(): Promise<Image> {
  const all = instructions(await deployed("docker/Dockerfile"));
  const every = (name: string): string[] => all.filter((one) => one.name === name).map(({ rest }) => rest);
  const only = (name: string): string => {
    const [found, ...more] = every(name);
    if (found === undefined || more.length > 0) throw new Error(`The Dockerfile has not one ${name}`);
    return found;
  };
  const words = (name: string): string[] => v.parse(Words, JSON.parse(only(name).replace(/^.*?\[/, "[")));
  const [entry, ...first] = words("ENTRYPOINT").slice(2);
  const [tool, ...healthCheck] = words("HEALTHCHECK");
  if (entry !== "/bin/deno" || tool !== entry) throw new Error(`${entry} and ${tool} are not Deno`);
  return {
    sources: every("COPY").filter((rest) => !rest.startsWith("--")).flatMap((rest) =>
      rest.split(" ").slice(0, -1)
    ),
    leftOut: ignored(await deployed("docker/Dockerfile.dockerignore")),
    build: only("RUN"),
    command: [...first, ...words("CMD")],
    healthCheck,
    environment: Object.fromEntries(every("ENV").map((rest) => rest.split("=") as [string, string])),
    user: only("USER"),
    denoVersion: only("ARG").replace("DENO_VERSION=", ""),
  };
}

/** The names of the folders that are left out wherever they are below src, beside the list of what is taken. */
function ignored(text: string): string[] {
  return text.split("\n").flatMap((line) => /^src\/\*\*\/(\w+)$/.exec(line)?.[1] ?? []);
}

function instructions(text: string): Instruction[] {
  return text.replaceAll(/\\\n\s*/g, "").split("\n").filter((line) => /^[A-Z]+ /.test(line)).map((line) => {
    const space = line.indexOf(" ");
    return { name: line.slice(0, space), rest: line.slice(space + 1).trim() };
  });
}
