// A replica in a process of its own, beside those of a lab: so neither side's event loop or collector holds up the other.
// The process runs a script of this folder, sends its address first, and what it has measured at the end.
import { fork } from "node:child_process";
import type { Lab } from "./lab.ts";

export type Measured = Readonly<Record<string, unknown>>;

/** Forks `script` with the addresses of a lab's replicas behind its own arguments. Resolves with what it measured. */
export async function runApart(lab: Lab, script: string, args: readonly string[]): Promise<Measured> {
  const addresses = lab.seats.map(({ address }) => address);
  const child = fork(`${import.meta.dirname}/${script}`, [...args, ...addresses]);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Measured>();
    child.on("message", (message) => {
      const { address, ...measured } = isRecord(message) ? message : {};
      if (typeof address === "string") lab.meet(address);
      else resolve(measured);
    });
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}.`)));
    return await promise;
  } finally {
    child.kill();
  }
}

function isRecord(value: unknown): value is Measured {
  return typeof value === "object" && value !== null;
}

/** A number that was measured. */
export function numberIn(measured: Measured, name: string): number {
  const value = measured[name];
  if (typeof value !== "number") throw new Error(`no ${name} was measured`);
  return value;
}
