import { othersFirst } from "../log/others_first.ts";

/** So many members of a list become text in one go, some 1 ms, before whatever else waits comes first. */
const AT_ONCE = 128;

/** The JSON of an object with a long list, as `JSON.stringify` has it; made in pieces, so that it makes nobody wait. */
export async function largeJson(object: object): Promise<string> {
  const members: string[] = [];
  for (const [name, value] of Object.entries(object)) {
    const text = Array.isArray(value) && value.length > AT_ONCE ? await list(value) : JSON.stringify(value);
    if (text !== undefined) members.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

async function list(values: readonly unknown[]): Promise<string> {
  const pieces: string[] = [];
  for (let start = 0; start < values.length; start += AT_ONCE) {
    await othersFirst();
    pieces.push(JSON.stringify(values.slice(start, start + AT_ONCE)).slice(1, -1));
  }
  return `[${pieces.join(",")}]`;
}
