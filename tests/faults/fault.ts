import type { World } from "./world.ts";

/** What is to be told of a fault once it was mended. */
export type Meanwhile = {
  /** What was answered while it lasted, in a few words. */
  readonly says: string;
  /** Up to this position the log itself lost events: who asks for a task of before need not find it. */
  readonly lostUpTo?: number;
};

/** Something that goes wrong with a real part under a gateway that people watch. */
export type Fault = {
  readonly name: string;
  /** Why it cannot be caused on this machine; undefined where it can. */
  readonly impossible?: string | undefined;
  /** Whether clients may have to begin anew, and why. Default: nobody is told of a gap. */
  readonly gap?: "epoch" | "retention";
  /** Whether it takes so little time that every run of the tests causes it. Default: the command alone does. */
  readonly isQuick?: true;
  /** Causes it, holds what has to hold meanwhile, and mends it. Calls `mended` then, where it has more to do. */
  cause(world: World, mended: () => void): Promise<Meanwhile>;
};
