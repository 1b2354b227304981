import * as v from "valibot";
import { parseAllDocuments } from "yaml";

/** Where everything lies that a gateway is run with. */
export const DEPLOY = new URL("../../deploy/", import.meta.url);

/** A file below `deploy/`, as text. */
export async function deployed(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, DEPLOY));
}

/** The documents of a YAML file below `deploy/`. Rejects where it is no YAML, or a key is there twice. */
export async function documents(path: string): Promise<unknown[]> {
  return parsed(await deployed(path), path);
}

/** The only document of a YAML file below `deploy/`, held to a schema. */
export async function document<S extends v.GenericSchema>(
  path: string,
  schema: S,
): Promise<v.InferOutput<S>> {
  const [only, ...more] = await documents(path);
  if (more.length > 0) throw new Error(`${path} has ${more.length + 1} documents`);
  return v.parse(schema, only);
}

/** The documents of a YAML text; `what` names it where it is none. */
export function parsed(text: string, what: string): unknown[] {
  return parseAllDocuments(text, { uniqueKeys: true, strict: true, merge: true }).map((found) => {
    const [problem] = [...found.errors, ...found.warnings];
    if (problem !== undefined) throw new Error(`${what}: ${problem.message}`);
    return found.toJS();
  });
}

/** `text` with each of `parts` in the place of what it replaces. Throws where one is not there. */
export function rewritten(text: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((rest, [from, to]) => {
    if (!rest.includes(from)) throw new Error(`There is no ${JSON.stringify(from)} to be replaced`);
    return rest.replaceAll(from, to);
  }, text);
}
