/** The first of these programs that is on PATH. */
export function onPath(programs: readonly string[]): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  return programs.flatMap((program) => folders.map((folder) => `${folder}/${program}`)).find(isFile);
}

/** Runs a program to its end: what it wrote. Rejects, with what it complained of, where it failed. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    ...options,
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}

/** Whether there is a file at that path. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
