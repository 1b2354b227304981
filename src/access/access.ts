import { Scope } from "./scope.ts";

/** What a token can allow: `subscribe` reads in every way, `admin` is all of them and what operators look at. */
export const RIGHTS = ["subscribe", "publish", "cancel", "admin"] as const;

/** One of {@link RIGHTS}. */
export type Right = (typeof RIGHTS)[number];

/** Who asks, and what it may: what a token stands for. */
export type Access = {
  /** Whose token it is; empty where nobody is asked. */
  readonly subject: string;
  readonly rights: ReadonlySet<Right>;
  /** Which topics, and so which tasks, the rights are about. */
  readonly scope: Scope;
  /** When it ends, ms since the epoch; absent where it does not. */
  readonly expiresAtMs?: number;
};

/** What everybody may where no tokens are asked for. */
export const EVERYBODY: Access = { subject: "", rights: new Set(["admin"]), scope: Scope.of(["*"]) };

/** What somebody may who has shown no token where they are asked for: nothing. */
export const NOBODY: Access = { subject: "", rights: new Set(), scope: Scope.of([]) };

/** Whether a right is among those of `access`. */
export function hasRight({ rights }: Access, right: Right): boolean {
  return rights.has(right) || rights.has("admin");
}
