import { GatewayProcess } from "../gateway/gateway_process.ts";

/** Several gateways of the same settings, as processes. */
export class Gateways implements AsyncDisposable {
  readonly all: readonly GatewayProcess[];

  private constructor(all: readonly GatewayProcess[]) {
    this.all = all;
  }

  /** Starts so many; resolves when all are ready. */
  static async start(count: number, settings: Readonly<Record<string, string>>): Promise<Gateways> {
    const folders = Array.from({ length: count }, () => Deno.makeTempDir({ prefix: "taskwire-gateway-" }));
    const gateways = new Gateways(
      (await Promise.all(folders)).map((folder) => new GatewayProcess(folder, { settings })),
    );
    try {
      await Promise.all(gateways.all.map((gateway) => gateway.start()));
      return gateways;
    } catch (error) {
      await gateways[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What each said. */
  get said(): string {
    return this.all.map(({ said }, i) => `gateway ${i + 1}:\n${said}`).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map(async (gateway) => {
      await gateway.kill();
      await Deno.remove(gateway.dataDir, { recursive: true });
    }));
  }
}
