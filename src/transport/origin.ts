/** Where browsers may connect from: these origins, the host that is asked itself, or anywhere. */
export type AllowedOrigins = readonly string[] | "same-host" | "*";

/**
 * Whether a request may come from `origin`. Only browsers send one, and always where a page of another site asks:
 * so nothing else is kept out, and no site can use its visitors' reach.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: AllowedOrigins,
): boolean {
  if (origin === undefined || allowed === "*") return true;
  if (allowed !== "same-host") return allowed.includes(origin);
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}
