// Which faults are looked at, and what is told of what was found.
import type { Outcome } from "./planting.ts";
import type { Mutant, Suite } from "./suites.ts";

export interface Finding {
  /** The suite that noticed the fault, and how; null: it survived. */
  readonly by: { readonly suite: Suite; readonly outcome: Exclude<Outcome, { kind: "passed" }> } | null;
  readonly tookMs: number;
}

/** The faults in whose name or file all words of one of the wishes stand; without any wish, all. */
export function chosen(mutants: readonly Mutant[], wishes: readonly string[]): readonly Mutant[] {
  if (wishes.length === 0) return mutants;
  return mutants.filter(({ fault, file }) => {
    const text = `${fault} ${file}`.toLowerCase();
    return wishes.some((wish) =>
      wish
        .toLowerCase()
        .split(/\s+/u)
        .every((word) => text.includes(word)),
    );
  });
}

export function survivorsOf(findings: ReadonlyMap<Mutant, Finding>): readonly Mutant[] {
  return [...findings].flatMap(([mutant, { by }]) => (by === null ? [mutant] : []));
}

/** One line when a fault is through. */
export function progressOf(mutant: Mutant, findings: ReadonlyMap<Mutant, Finding>, total: number): string {
  const finding = findings.get(mutant);
  const word = finding?.by == null ? "SURVIVED" : finding.by.suite;
  const seconds = ((finding?.tookMs ?? 0) / 1000).toFixed(0);
  const survivors = survivorsOf(findings).length;
  return `[${findings.size}/${total}, ${survivors} survived] ${word}, ${seconds} s: ${mutant.fault}`;
}

/** What noticed each fault, in the order of the list, and how many survived. */
export function tableOf(mutants: readonly Mutant[], findings: ReadonlyMap<Mutant, Finding>): string {
  const lines = ["| planted fault | noticed by | first failure | seconds |", "| --- | --- | --- | ---: |"];
  for (const mutant of mutants) {
    const finding = findings.get(mutant);
    if (finding === undefined) continue;
    const { by, tookMs } = finding;
    const suite = by === null ? "**nothing: it survived**" : by.suite;
    const seconds = (tookMs / 1000).toFixed(0);
    lines.push(`| ${mutant.fault} | ${suite} | ${by === null ? "" : wordsOf(by.outcome)} | ${seconds} |`);
  }
  const survivors = survivorsOf(findings);
  lines.push("", `${findings.size - survivors.length} caught, ${survivors.length} survived`);
  const untried = mutants.length - findings.size;
  if (untried > 0) lines.push(`${untried} not tried`);
  return lines.join("\n");
}

/** How a suite failed. */
export function wordsOf(outcome: Exclude<Outcome, { kind: "passed" }>): string {
  return outcome.kind === "hung" ? "(it never ended)" : outcome.test.replaceAll("|", "/");
}
