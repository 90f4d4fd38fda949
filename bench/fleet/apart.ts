// A replica in a process of its own, beside those of a lab: so neither side's event loop or collector holds up the other.
// The process runs a script of this folder, sends its address first, and what it has measured at the end.
import { type ChildProcess, fork } from "node:child_process";
import type { Lab } from "./lab.ts";

export type Measured = Readonly<Record<string, unknown>>;

/** A script of this folder, and its own arguments. */
export interface Apart {
  readonly script: string;
  readonly args: readonly string[];
}

/** Forks a script with the addresses of a lab's replicas behind its own arguments; `heard` gets what it sends later. */
export function startApart(
  lab: Lab,
  { script, args }: Apart,
  heard: (measured: Measured) => void,
): ChildProcess {
  const addresses = lab.seats.map(({ address }) => address);
  const child = fork(`${import.meta.dirname}/${script}`, [...args, ...addresses]);
  child.on("message", (message) => {
    const { address, ...measured } = isRecord(message) ? message : {};
    if (typeof address === "string") lab.meet(address);
    else heard(measured);
  });
  return child;
}

/** Resolves with what a script measured. */
export async function runApart(lab: Lab, script: string, args: readonly string[]): Promise<Measured> {
  const { promise, resolve, reject } = Promise.withResolvers<Measured>();
  const child = startApart(lab, { script, args }, resolve);
  try {
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
