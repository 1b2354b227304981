/** What the command line ends with. `run` ends with the code of the program it ran, and with these where there is none. */
export const EXIT = {
  done: 0,
  /** What was asked for did not come about: not found, refused, out of reach; or `doctor` found something wrong. */
  failed: 1,
  /** An argument breaks its rule. */
  badArgument: 2,
  /** `run` itself failed before the program began. */
  notRun: 125,
  /** The program is there and cannot be run. */
  notExecutable: 126,
  /** There is no such program. */
  notFound: 127,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;

/** A shell's code for a program that was ended by a signal is this and the signal's number. */
export const KILLED_BY = 128;
