// Every sequence of up to so many steps, breadth first, each state once. Two ways that lead to states which nothing can
// tell apart are followed as one, so orders of steps that do not matter cost nothing, and none that matters is missed.
// (That replicas could change places is not used to save work: ids decide ties, so it would not be sound.)
import { exactTextOf, faultOf, type Fleet, type Steps, type Surety, textOf } from "./fleet.ts";
import { faultAfterHealing } from "./script.ts";
import type { Lives } from "./lives.ts";

export interface Bounds {
  readonly depth: number;
  /** So many of the states, evenly spread, are healed to see whether anything was lost for good. */
  readonly healed: number;
  /** No more states than this; the search says when it ended so. */
  readonly statesMax: number;
}

export interface SearchResult {
  readonly states: number;
  /** The depth that was searched to the end. */
  readonly depth: number;
  /** The most units admitted in any state. */
  readonly admittedMost: number;
  /** The shortest sequence that broke something, and what; null: none did. */
  readonly fault: { readonly steps: readonly string[]; readonly what: string } | null;
}

export interface Situation extends Surety {
  readonly lives: Lives;
  readonly steps: Steps;
  readonly begin: Fleet;
}

interface Found {
  readonly fleet: Fleet;
  readonly from: number;
  readonly text: string;
}

export function search({ steps, begin, ...surety }: Situation, bounds: Bounds): SearchResult {
  const { depth, statesMax, healed } = bounds;
  const seen = new Set([textOf(begin)]);
  const seenExactly = new Set<string>();
  const isKnown = (fleet: Fleet): boolean => {
    const exact = exactTextOf(fleet);
    if (seenExactly.has(exact)) return true;
    seenExactly.add(exact);
    const text = textOf(fleet);
    if (seen.has(text)) return true;
    seen.add(text);
    return false;
  };
  const all: { readonly from: number; readonly text: string }[] = [{ from: -1, text: "" }];
  let admittedMost = 0;
  let layer: Found[] = [{ fleet: begin, from: 0, text: "" }];
  const result = (reached: number, fault: SearchResult["fault"]): SearchResult => ({
    states: all.length,
    depth: reached,
    admittedMost,
    fault,
  });
  const wayTo = (last: number): string[] => {
    const texts: string[] = [];
    for (let at = last; at > 0; at = all[at]?.from ?? 0) texts.push(all[at]?.text ?? "");
    return texts.toReversed();
  };
  for (let reached = 0; reached < depth; reached++) {
    const next: Found[] = [];
    for (const { fleet, from } of layer) {
      for (const { text, to } of steps.of(fleet)) {
        if (isKnown(to)) continue;
        all.push({ from, text });
        for (const units of to.used.values()) admittedMost = Math.max(admittedMost, units);
        const what = faultOf(to, surety);
        if (what !== "") return result(reached, { steps: wayTo(all.length - 1), what });
        if (all.length >= statesMax) return result(reached, null);
        next.push({ fleet: to, from: all.length - 1, text });
      }
    }
    layer = next;
    if (layer.length === 0) return result(depth, null);
  }
  const stride = Math.max(1, Math.ceil(layer.length / healed));
  const chosen = healed === 0 ? [] : layer.filter((_, at) => at % stride === 0);
  for (const { fleet, from } of chosen) {
    const what = faultAfterHealing(steps, fleet, surety);
    if (what !== "") return result(depth, { steps: wayTo(from), what });
  }
  return result(depth, null);
}
