import { debianProgram } from "./debian_program.ts";

/**
 * The path of a nats-server: the one that `NATS_SERVER` names, else the one on PATH, else Debian's package unpacked
 * below the temporary folder. Rejects with how to get one.
 */
export function natsServerBinary(): Promise<string> {
  return debianProgram({
    variable: "NATS_SERVER",
    name: "nats-server",
    package: "nats-server",
    pathInPackage: "usr/sbin/nats-server",
    wanted: "a real nats-server, 2.9.10 or later",
    otherwise: "; Go: go install github.com/nats-io/nats-server/v2@latest; macOS: brew install nats-server",
  });
}
