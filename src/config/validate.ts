// From what zod finds to problems with places and suggestions. When something is wrong, the parts that are sound are still
// returned, so that the checks after the schema run over them and all errors of a file come at once.
import type { z } from "zod";
import type { Document, Plain } from "./document.ts";
import { describePath, type Path, type Problem } from "./problems.ts";
import { didYouMean } from "./suggest.ts";

type Issue = z.core.$ZodIssue;

export interface Validated<T> {
  /** What is sound; undefined when nothing is. */
  readonly value: T | undefined;
  readonly problems: readonly Problem[];
  /** Paths of what was left out of `value` because something in it is wrong. */
  readonly left: readonly Path[];
}

/** Sections of named things, of which one can be wrong and the others sound. */
const COLLECTIONS = new Set(["providers", "models"]);

/** Checks a document against a schema. */
export function validate<T>(document: Document, schema: z.ZodType<T>): Validated<T> {
  const value = document.value ?? {};
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data, problems: document.problems, left: [] };
  const issues = result.error.issues.flatMap((issue) => flatten(issue, []));
  const reported = new Set(document.problems.map((problem) => problem.key));
  const problems = issues
    .flatMap((issue) => toProblems(document, issue))
    // A value whose variable is missing was reported already.
    .filter((problem) => !reported.has(problem.key) || problem.key === "");
  const left = issues.flatMap((issue) => unitsOf(issue));
  const rest = schema.safeParse(left.reduce(without, value));
  return {
    value: rest.success ? rest.data : undefined,
    problems: [...document.problems, ...problems],
    left,
  };
}

interface Located {
  readonly issue: Issue;
  readonly path: Path;
}

/** An issue with its whole path; of a union, the issues of the alternative that was meant. */
function flatten(issue: Issue, above: Path): Located[] {
  const path = [...above, ...issue.path.map(step)];
  if (issue.code !== "invalid_union") return [{ issue, path }];
  const meant = issue.errors.find((issues) => issues.length > 0 && !issues.some(isWholly));
  if (meant === undefined) return [{ issue, path }];
  return meant.flatMap((inner) => flatten(inner, path));
}

/** Whether an alternative is of another shape altogether: a text where there is a map. */
function isWholly(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

function step(key: PropertyKey): string | number {
  return typeof key === "symbol" ? key.toString() : key;
}

function toProblems(document: Document, { issue, path }: Located): Problem[] {
  const { file } = document;
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.split(" ");
    return issue.keys.map((key) => {
      const place = document.locateKey([...path, key]);
      return {
        file,
        ...place,
        key: describePath([...path, key]),
        message: `unknown key${didYouMean(key, known)}`,
      };
    });
  }
  const source = document.source(path);
  const isMissing = source === undefined && !has(document.value, path);
  const hint =
    issue.code === "invalid_value" && source !== undefined
      ? didYouMean(source, issue.values.map(String))
      : "";
  const message = isMissing ? `this key is missing: ${issue.message}` : `${issue.message}${hint}`;
  return [{ file, ...document.locate(path), key: describePath(path), message }];
}

function has(value: Plain, path: Path): boolean {
  let inner: unknown = value;
  for (const key of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, key)) return false;
    inner = Reflect.get(inner, key);
  }
  return inner !== undefined;
}

/** The smallest part that can be left out: one provider or model, or else a whole section. */
function unitsOf({ issue, path }: Located): Path[] {
  if (issue.code === "unrecognized_keys" && path.length === 0) return issue.keys.map((key) => [key]);
  const isNamed = COLLECTIONS.has(String(path[0])) && path.length > 1;
  return [path.slice(0, isNamed ? 2 : 1)];
}

/** The value without the part at this path of one or two keys. */
function without(value: Plain, path: Path): Plain {
  const [key, ...rest] = path;
  if (key === undefined || typeof value !== "object" || Array.isArray(value)) return {};
  const { [key]: inner, ...others } = value;
  return rest.length === 0 ? others : { ...others, [key]: without(inner, rest) };
}
