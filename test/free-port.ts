// For servers that can't be asked to choose a port themselves. A port that the system chooses may serve an outgoing
// connection a moment later, so these lie below the range that it chooses from (32,768 and up on Linux).
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const LOWEST = 12_000;
const BEHIND_HIGHEST = 32_000;
const TRIES_MAX = 50;

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(LOWEST, BEHIND_HIGHEST);
    if (await isFree(port)) return port;
  }
  throw new Error("no port is free");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return promise;
}
