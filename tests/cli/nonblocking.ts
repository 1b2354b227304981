/** Runs a program whose standard output answers "try again" rather than make it wait: `nonblocking.ts <program> [args…]`. */
const [O_NONBLOCK, F_GETFL, F_SETFL] = [0o4000, 3, 4];

const libc = Deno.dlopen("libc.so.6", {
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
});
const flags = libc.symbols.fcntl(1, F_GETFL, 0);
if (flags < 0 || libc.symbols.fcntl(1, F_SETFL, flags | O_NONBLOCK) < 0) {
  throw new Error("fcntl does not work");
}

const [program = "", ...args] = Deno.args;
const { code } = await new Deno.Command(program, { args, stdin: "null" }).spawn().status;
Deno.exit(code);
