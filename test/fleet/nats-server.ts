// Starts a real nats-server for a test, if there is one on this machine.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";

export const hasNatsServer = spawnSync("nats-server", ["--version"]).status === 0;

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** A port that was free a moment ago. nats-server can pick one itself, but tells it only in a file. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** Resolves when the server is ready for connections. */
export async function startNatsServer(port?: number, args: readonly string[] = []): Promise<NatsServer> {
  const chosen = port ?? (await freePort());
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", String(chosen), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await ready(child);
  return {
    url: `nats://127.0.0.1:${chosen}`,
    port: chosen,
    async stop() {
      const gone = new Promise((resolve) => {
        child.once("exit", resolve);
      });
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
