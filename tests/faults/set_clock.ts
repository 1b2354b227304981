import { debianProgram } from "../debian_program.ts";

/** A clock of the system that a test sets, for processes that are started with its `env`. */
export type SetClock = AsyncDisposable & {
  readonly env: Readonly<Record<string, string>>;
  /** Sets it by so many seconds from what is right. What runs is not told; timers of the system go on as they were. */
  set(offsetSeconds: number): Promise<void>;
};

/** The library that answers for the system when it is asked for the time. Rejects with how to get it. */
export function fakeTimeLibrary(): Promise<string> {
  return debianProgram({
    // FAKETIME itself is what the library takes the time from.
    variable: "LIBFAKETIME",
    name: "libfaketime.so.1",
    package: "libfaketime",
    pathInPackage: `usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketime.so.1`,
    wanted: "libfaketime",
  });
}

/** Makes such a clock, which is right at first. */
export async function setClock(): Promise<SetClock> {
  const library = await fakeTimeLibrary();
  const folder = await Deno.makeTempDir({ prefix: "taskwire-clock-" });
  const file = `${folder}/offset`;
  const set = async (offsetSeconds: number): Promise<void> => {
    // At once, as the file is read whenever anybody asks for the time.
    await Deno.writeTextFile(`${file}.next`, `${offsetSeconds < 0 ? "" : "+"}${offsetSeconds}`);
    await Deno.rename(`${file}.next`, file);
  };
  await set(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      // A clock that is set does not move the one that only counts.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    set,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
