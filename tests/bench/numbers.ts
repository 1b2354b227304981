/** `123,456`: a count, or a rate. */
export function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : "–";
}

/** `1.23`: with as many digits as tell something. */
export function precise(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${precise(bytes / 1_048_576)} MB`;
}

/** `1.23 ×`. */
export function times(ratio: number): string {
  return `${precise(ratio)} ×`;
}
