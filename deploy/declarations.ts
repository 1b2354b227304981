/** What a module declares, as the compiler prints it, and what it takes from others. */
type Module = {
  /** Text by name, comment included. */
  readonly declared: ReadonlyMap<string, string>;
  /** Which module each imported name is of. */
  readonly imported: ReadonlyMap<string, string>;
  readonly exported: ReadonlySet<string>;
};

/** A declaration that is needed: `module` declares `name`. */
type Found = { readonly module: string; readonly name: string };

/**
 * One `.d.ts` of several: what `entry` exports, and of the others only what that needs. `texts` are the compiler's
 * declarations of each module by its name, which is its file's without `.ts`; what comes of packages is left out.
 */
export function rolledUp(entry: string, texts: ReadonlyMap<string, string>): string {
  const modules = new Map([...texts].map(([name, text]) => [name, parsed(text)]));
  const { exported = new Set<string>() } = modules.get(entry) ?? {};
  const wanted: Found[] = [...exported].flatMap((name) => found(modules, entry, name) ?? []);
  const isPublic = new Set(wanted.map(keyOf));
  const written = new Map<string, string>();
  const names = new Map<string, string>();
  // It grows while it is walked.
  for (const at of wanted) {
    const text = modules.get(at.module)?.declared.get(at.name);
    if (text === undefined || written.has(keyOf(at))) continue;
    const taken = names.get(at.name);
    if (taken !== undefined) throw new Error(`${at.name} is declared in ${taken} and in ${at.module}`);
    names.set(at.name, at.module);
    written.set(keyOf(at), isPublic.has(keyOf(at)) ? text : text.replace(/^export /m, ""));
    for (const name of wordsOf(text)) wanted.push(...found(modules, at.module, name) ?? []);
  }
  // Without an export of its own every declaration of a `.d.ts` would be exported.
  return [...written.values(), "export {};", ""].join("\n\n");
}

function keyOf({ module, name }: Found): string {
  return `${module} ${name}`;
}

/** Who declares what `module` calls `name`. Nobody, where it is a name of the language, a member or a package's. */
function found(modules: ReadonlyMap<string, Module>, module: string, name: string): [Found] | undefined {
  const { declared, imported } = modules.get(module) ?? {};
  if (declared?.has(name)) return [{ module, name }];
  const source = imported?.get(name);
  return source === undefined ? undefined : found(modules, source, name);
}

/** The words of a declaration, without those of its comments and strings. */
function wordsOf(text: string): ReadonlySet<string> {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"/g, " ");
  return new Set(code.match(/[A-Za-z_$][\w$]*/g));
}

const IMPORT = /^import (?:type )?\{([^}]*)\} from "\.{1,2}\/(?:.*\/)?(\w+)\.ts";$/;
const LIST = /^(?:\/\*\*[\s\S]*?\*\/\s*)?export (?:type )?\{([^}]*)\};$/;
const NAMED = /^(?:export )?(?:declare )?(?:abstract )?(?:const|class|interface|type|function) (\w+)/m;

function parsed(text: string): Module {
  const declared = new Map<string, string>();
  const imported = new Map<string, string>();
  const exported = new Set<string>();
  for (const statement of statements(text)) {
    const [, imports, from] = IMPORT.exec(statement) ?? [];
    for (const name of namesIn(imports)) imported.set(name, from ?? "");
    const [, list] = LIST.exec(statement) ?? [];
    for (const name of namesIn(list)) exported.add(name);
    const [start, name] = NAMED.exec(statement) ?? [];
    if (name === undefined) continue;
    declared.set(name, statement);
    if (start?.startsWith("export")) exported.add(name);
  }
  return { declared, imported, exported };
}

/** The names of `a, type b`. None may be another here than there: it would have to be renamed where it is used. */
function namesIn(list = ""): string[] {
  if (/ as /.test(list)) {
    throw new Error(`This must keep its name, or be given another at home: ${list.trim()}`);
  }
  return list.split(",").map((item) => item.trim().replace(/^type /, "")).filter((name) => name !== "");
}

const TOKEN = /\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|[{}()[\];]/g;

/** The statements of a file, each with the comment before it. */
function statements(text: string): string[] {
  const all: string[] = [];
  let [start, depth] = [0, 0];
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if ("{([".includes(token)) depth++;
    if ("})]".includes(token)) depth--;
    if (depth > 0 || (token !== ";" && token !== "}")) continue;
    const end = index + 1;
    const statement = text.slice(start, end).trim();
    if (token === "}" && !/^(?:export )?(?:declare )?(?:abstract )?(?:class|interface) /m.test(statement)) {
      continue;
    }
    all.push(statement);
    start = end;
  }
  return all;
}
