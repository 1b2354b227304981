import { SignJWT } from "jose";

const SECRET = "of-this-soak-alone-which-is-32-characters-or-more";

/** What `/metrics` is read with. */
export const METRICS_TOKEN = "of-who-looks-at-the-soak";

/** The gateway's settings for {@link tokenOf}. */
export const AUTH_SETTINGS = { AUTH: "jwt", JWT_SECRET: SECRET, JWT_SKEW: "0s", METRICS_TOKEN };

/** How long a token is good, s: short enough that whoever stays has to renew it, as often as it is. */
const LIVES_S = 30;

/** A fresh token of somebody who may do all, with what has one of `tags`; with every task where there are none. */
export async function tokenOf(subject: string, tags: readonly string[] = []): Promise<string> {
  const topics = tags.length === 0 ? ["*"] : tags.map((tag) => `task:tag:${tag}`);
  return await new SignJWT({ rights: ["subscribe", "publish", "cancel"], topics })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(subject)
    .setExpirationTime(Math.floor(Date.now() / 1_000) + LIVES_S)
    .sign(new TextEncoder().encode(SECRET));
}

/** A ticket of a gateway for whom this token is: good for one connection. */
export async function ticketOf(url: string, token: string): Promise<string> {
  const response = await fetch(`${url}/api/tickets`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  const { ticket }: { readonly ticket?: unknown } = await response.json();
  if (typeof ticket !== "string") throw new Error(`No ticket: ${response.status}`);
  return ticket;
}
