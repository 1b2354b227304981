import type { Settings } from "./settings.ts";

type Access = "read" | "write";

/** Whether this process may read, or write, what lies at `path`. */
export type MayUse = (access: Access, path: string) => boolean;

/** A path that a setting names, and what is done there. */
type Wanted = { readonly setting: string; readonly path: string; readonly access: readonly Access[] };

/**
 * One line on the setting that names a path where this process may not do what it has to, with the command that lets it;
 * undefined where it may. deno.json allows no more than the folder in which data is by default. Pure.
 */
export function notPermitted(settings: Settings, may: MayUse): string | undefined {
  const wanted = wantedBy(settings);
  for (const { setting, path, access } of wanted) {
    const missing = access.filter((access) => !may(access, path));
    if (missing.length === 0) continue;
    return `Cannot use ${setting}=${JSON.stringify(path)}: this process has no ${missing.join(" and ")} ` +
      `access to it. Start it, in the project's folder, with: ${commandFor(wanted)}`;
  }
  return undefined;
}

function wantedBy(settings: Settings): readonly Wanted[] {
  const { tls } = settings;
  const wanted = wantedByLog(settings);
  return [
    ...(wanted === undefined ? [] : [wanted]),
    ...(tls === undefined ? [] : [
      { setting: "TLS_CERT", path: tls.cert, access: ["read"] } as const,
      { setting: "TLS_KEY", path: tls.key, access: ["read"] } as const,
    ]),
  ];
}

/** A gateway on NATS has no data folder, and one file with a login at most. */
function wantedByLog({ nats, dataDir }: Settings): Wanted | undefined {
  if (nats === undefined) return { setting: "DATA_DIR", path: dataDir, access: ["read", "write"] };
  const { login } = nats;
  switch (login.kind) {
    case "creds":
      return { setting: "NATS_CREDS", path: login.file, access: ["read"] };
    case "nkey":
      return { setting: "NATS_NKEY_SEED", path: login.file, access: ["read"] };
    case "none":
    case "user":
    case "token":
      return undefined;
  }
}

/** A flag takes the place of what deno.json says of its kind, so what browsers load (below `src`) and plug-ins are named again. */
function commandFor(wanted: readonly Wanted[]): string {
  const flags = (["read", "write"] as const).flatMap((name) => {
    const paths = wanted.filter(({ access }) => access.includes(name)).map(({ path }) => path);
    const allowed = [...(name === "read" ? ["src", "plugins"] : []), ...paths];
    return paths.length === 0 ? [] : [quoted(`--allow-${name}=${allowed.join(",")}`)];
  });
  return ["deno run -P --no-prompt", ...flags, "main.ts"].join(" ");
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
