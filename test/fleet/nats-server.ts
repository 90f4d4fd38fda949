// Starts a real nats-server for a test, if there is one on this machine.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { freePort } from "../free-port.ts";

export const hasNatsServer = spawnSync("nats-server", ["--version"]).status === 0;

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Resolves when the server is ready for connections. */
export async function startNatsServer(port?: number, args: readonly string[] = []): Promise<NatsServer> {
  const chosen = port ?? (await freePort());
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", String(chosen), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await ready(child);
  const gone = new Promise((resolve) => {
    child.once("exit", resolve);
  });
  return {
    url: `nats://127.0.0.1:${chosen}`,
    port: chosen,
    async stop() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
  let output = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (data: Buffer) => {
      output += data.toString();
      if (output.includes("Server is ready")) resolve();
    });
    child.once("exit", () => reject(new Error(`nats-server ended: ${output}`)));
  });
}
