/** The steps within a factor of ten: the series R10 of ISO 3, rounded as it allows. */
const STEPS = [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8];

/**
 * Every rate of progress that a client can have, in Hz, ascending: 28 of them, 0.1 to 50. So those who ask for about the
 * same share what is made for them, and nobody can ask for ever new ones.
 */
export const RATES_HZ: readonly number[] = [
  ...STEPS.map((step) => step / 10),
  ...STEPS,
  ...STEPS.map((step) => step * 10).filter((hz) => hz <= 50),
];

/** The least time between two flushes of progress alone, in ms, for who asks for `hz`: the nearest rate that is no higher. */
export function paceMsOf(hz: number): number {
  return 1000 / (RATES_HZ.findLast((rate) => rate <= hz) ?? 0.1);
}
