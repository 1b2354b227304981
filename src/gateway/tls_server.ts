import { createServer as createPlainServer, type Server } from "node:http";
import { createServer, type Server as TlsServer } from "node:https";
import { SERVER_OPTIONS } from "../http/listener.ts";
import { type Certificate, type CertificatePaths, readCertificate } from "../settings/certificate.ts";
import type { Logger } from "../telemetry/logger.ts";

/** How often the files are looked at, ms. Whoever replaces them need tell nobody. */
const LOOK_MS = 1_000;
/** Who connects and shakes no hands for so long is hung up on, ms. */
const HANDSHAKE_MS = 10_000;

/** TLS 1.2 is the least that Deno speaks; said all the same. */
const TLS_OPTIONS = { minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE_MS } as const;

/** A certificate that was read, and where it is read again. */
export type TlsFiles = { readonly certificate: Certificate; readonly paths: CertificatePaths };

/** A server that a gateway listens with: over TLS where there is a certificate. */
export type GatewayServer = Disposable & { readonly server: Server; readonly isTls: boolean };

/** Makes the server; what it shows changes with its files, for those who connect from then on. */
export function createGatewayServer(files: TlsFiles | undefined, log: Logger): GatewayServer {
  if (files === undefined) {
    return { server: createPlainServer(SERVER_OPTIONS), isTls: false, [Symbol.dispose]: () => {} };
  }
  const { cert, key } = files.certificate;
  const server = createServer({ ...SERVER_OPTIONS, ...TLS_OPTIONS, cert, key });
  const renewal = new Renewal(server, files, log);
  return { server, isTls: true, [Symbol.dispose]: () => renewal[Symbol.dispose]() };
}

/** Gives a server the certificate that lies in its files by now. What cannot be used is warned of, and the old one stays. */
export class Renewal implements Disposable {
  readonly #server: Pick<TlsServer, "setSecureContext">;
  readonly #paths: CertificatePaths;
  readonly #log: Logger;
  readonly #timer: ReturnType<typeof setInterval>;
  #present: Certificate;
  /** What was wrong when it was last looked, and whether that was told. */
  #wrong: { readonly problem: string; readonly isTold: boolean } | undefined;
  #isLooking = false;

  constructor(
    server: Pick<TlsServer, "setSecureContext">,
    { certificate, paths }: TlsFiles,
    log: Logger,
    lookMs: number = LOOK_MS,
  ) {
    this.#server = server;
    this.#present = certificate;
    this.#paths = paths;
    this.#log = log;
    this.#tellDates();
    this.#timer = setInterval(() => void this.look(), lookMs);
  }

  /** Looks at the files. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const read = await readCertificate(this.#paths);
      if ("problem" in read) this.#keep(read.problem);
      else this.#use(read.certificate);
    } finally {
      this.#isLooking = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #use(certificate: Certificate): void {
    const { cert, key } = certificate;
    if (cert === this.#present.cert && key === this.#present.key) {
      this.#wrong = undefined;
      return;
    }
    try {
      this.#server.setSecureContext({ ...TLS_OPTIONS, cert, key });
    } catch (error) {
      return this.#keep(error instanceof Error ? error.message : String(error));
    }
    this.#wrong = undefined;
    this.#present = certificate;
    this.#log.info("The certificate was renewed", {
      names: certificate.names,
      until: day(certificate.untilMs),
    });
    this.#tellDates();
  }

  /** Warns at the second look that finds the same: the first may have come between the writing of one file and the other. */
  #keep(problem: string): void {
    const isSame = this.#wrong?.problem === problem;
    if (isSame && this.#wrong?.isTold === false) {
      this.#log.warn("The new certificate cannot be used; the old one stays", { problem });
    }
    this.#wrong = { problem, isTold: isSame };
  }

  #tellDates(): void {
    const { fromMs, untilMs } = this.#present;
    const now = Date.now();
    if (untilMs < now) this.#log.warn("The certificate has expired", { until: day(untilMs) });
    if (fromMs > now) this.#log.warn("The certificate is not good yet", { from: day(fromMs) });
  }
}

function day(ms: number): string {
  return new Date(ms).toISOString();
}
