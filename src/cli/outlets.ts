import type { Outlet } from "./outlet.ts";
import type { Output } from "./output.ts";

/** Both standard streams for a command that must not stand still. */
export type Outlets = {
  readonly stdout: Outlet;
  readonly stderr: Outlet;
  /** Says something to standard error. */
  complain(text: string): void;
  /** Resolves when all that was passed was taken, or none of it will be; `withinMs`: or after that long. */
  flushed(withinMs: number | undefined): Promise<void>;
};

/** The streams of this output. That standard output takes no more is said on standard error. */
export function outletsOf(out: Output): Outlets {
  // Of standard error there is nobody left to be told.
  const stderr = out.outlet("stderr", () => {});
  const complain = (text: string): void => void stderr.pass(new TextEncoder().encode(text));
  const stdout = out.outlet("stdout", (why) => {
    if (why !== undefined) complain(`taskwire: standard output takes no more: ${why}\n`);
  });
  return {
    stdout,
    stderr,
    complain,
    async flushed(withinMs) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        if (withinMs !== undefined) timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([late, stdout.flushed().then(() => stderr.flushed())]);
      clearTimeout(timer);
    },
  };
}
