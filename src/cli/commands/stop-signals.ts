// SIGTERM and SIGINT for commands that run until they are told to stop. The first one asks politely; the second means
// that somebody has lost patience, and ends the process at once.
import type { EventEmitter } from "node:events";

/** What of `process` this needs. */
export type SignalSource = Pick<EventEmitter, "on" | "once" | "off">;

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

export interface StopSignals {
  /** Resolves with the first signal's name. */
  readonly first: Promise<string>;
  /** Takes the listeners away again. */
  off(): void;
}

/** Listens from now on; `second` is called at the second signal. */
export function listenForStop(source: SignalSource, second: () => void): StopSignals {
  let tell: (signal: string) => void = () => {};
  let count = 0;
  const onSignal = (signal: string): void => {
    count += 1;
    if (count === 1) tell(signal);
    else second();
  };
  const first = new Promise<string>((resolve) => {
    tell = resolve;
  });
  for (const signal of SIGNALS) source.on(signal, onSignal);
  return {
    first,
    off() {
      for (const signal of SIGNALS) source.off(signal, onSignal);
    },
  };
}
