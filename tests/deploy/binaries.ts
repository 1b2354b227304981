import { type DebianProgram, debianProgram } from "../debian_program.ts";

/** The programs that a gateway is run with, by the variable that names each. */
const PROGRAMS = {
  HAPROXY: { name: "haproxy", package: "haproxy", pathInPackage: "usr/sbin/haproxy" },
  NGINX: { name: "nginx", package: "nginx", pathInPackage: "usr/sbin/nginx" },
  PROMETHEUS: { name: "prometheus", package: "prometheus", pathInPackage: "usr/bin/prometheus" },
  PROMTOOL: { name: "promtool", package: "prometheus", pathInPackage: "usr/bin/promtool" },
} as const satisfies Readonly<Record<string, Pick<DebianProgram, "name" | "package" | "pathInPackage">>>;

/** The variable that names such a program. */
export type OperatorsProgram = keyof typeof PROGRAMS;

/** Their variables. */
export const OPERATORS_PROGRAMS: readonly OperatorsProgram[] = ["HAPROXY", "NGINX", "PROMETHEUS", "PROMTOOL"];

/** The path of such a program. Rejects with how to get one. */
export function operatorsProgram(variable: OperatorsProgram): Promise<string> {
  return debianProgram({ variable, wanted: `a real ${PROGRAMS[variable].name}`, ...PROGRAMS[variable] });
}
