// What is wrong with a configuration, all of it at once and each with its place. A problem's words never hold a value
// that came from the environment or from a key meant for a secret.
import { GatewayError } from "../errors.ts";

/** Keys and list indices from the top of the document down to a value. */
export type Path = readonly (string | number)[];

/** A place in a file; line and column begin at 1, or are 0 where there is no file or all of it is meant. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The place of what is wrong with a whole file, or without one. */
export const NOWHERE: Position = { line: 0, column: 0 };

export interface Problem extends Position {
  readonly file: string;
  /** The key at fault, as `providers.main.limits[0]`; empty when the file as a whole is. */
  readonly key: string;
  readonly message: string;
}

/** More would only scroll away. */
const PROBLEMS_MAX = 50;

/** `GatewayError("invalid_config")` with every problem found, in the order of the file. */
export class ConfigError extends GatewayError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("invalid_config", describeProblems(problems));
    this.problems = problems;
  }
}

/** One line for each problem: `sluice.yaml:12:5: queue.max_wait: …`. */
export function describeProblems(problems: readonly Problem[]): string {
  const lines = problems.slice(0, PROBLEMS_MAX).map(describeProblem);
  const hidden = problems.length - lines.length;
  return hidden > 0 ? `${lines.join("\n")}\n… and ${hidden} more` : lines.join("\n");
}

/** The problems in the order of the file, each once. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .toSorted((left, right) => left.line - right.line || left.column - right.column)
    .filter((problem) => {
      const line = describeProblem(problem);
      if (seen.has(line)) return false;
      seen.add(line);
      return true;
    });
}

/** A path as people write it: `providers.main.limits[0]`. */
export function describePath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

function describeProblem({ file, line, column, key, message }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place}: ${key === "" ? message : `${key}: ${message}`}`;
}
