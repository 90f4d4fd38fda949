// Single readings for those who are asked for theirs at each scrape.
import type { Sample } from "./events.ts";

/** A count that only grows, since the process began. */
export function counter(name: string, help: string, value: number, labels: Sample["labels"] = {}): Sample {
  return { name, help, kind: "counter", labels, value };
}

/** A value as it is now. */
export function gauge(name: string, help: string, value: number, labels: Sample["labels"] = {}): Sample {
  return { name, help, kind: "gauge", labels, value };
}
