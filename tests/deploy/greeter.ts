import { assertEquals } from "@std/assert";
import * as v from "valibot";

const Plugins = v.object({
  plugins: v.array(v.object({ name: v.string(), enabled: v.boolean(), built_in: v.boolean() })),
});

/** Asserts that a gateway has the README's plug-in, and no other that is not built in. */
export async function assertGreets(url: string): Promise<void> {
  const { plugins } = v.parse(Plugins, await (await fetch(`${url}/api/plugins`)).json());
  const own = plugins.filter((plugin) => !plugin.built_in);
  assertEquals(own.map(({ name, enabled }) => [name, enabled]), [["greeter", true]]);
}
