// Renders the chart's templates as Helm would, for the few things of its language that they use: values, `if … else …
// end`, `quote`, `toYaml`, `toJson`, `nindent`, and dashes that eat white space. Anything else is an error, so that no
// template grows beyond what is tested.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";

const CHART = join(import.meta.dirname, "../../deploy/helm/sluice");

type Values = Readonly<Record<string, unknown>>;

/** The chart's values with some of them replaced, groups key by key. */
export function valuesWith(changes: Values = {}): Values {
  return merged(parse(readFileSync(join(CHART, "values.yaml"), "utf8")), changes);
}

function isGroup(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merged(base: unknown, changes: Values): Values {
  const result: Record<string, unknown> = isGroup(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(changes)) {
    result[key] = isGroup(value) ? merged(result[key], value) : value;
  }
  return result;
}

/** Every manifest of the chart for a release of this name. */
export function renderChart(values: Values, release = "gate"): readonly unknown[] {
  const folder = join(CHART, "templates");
  const scope = { Values: values, Release: { Name: release, Namespace: "default" } };
  return readdirSync(folder).flatMap((file) => {
    const text = render(readFileSync(join(folder, file), "utf8"), scope);
    if (!file.endsWith(".yaml")) return [];
    return parseAllDocuments(text).map((document): unknown => {
      const [fault] = document.errors;
      if (fault !== undefined) throw new Error(`${file}: ${fault.message}\n${text}`);
      return document.toJSON();
    });
  });
}

interface Branch {
  readonly isTaken: boolean;
  hasElse: boolean;
}

function render(template: string, scope: Values): string {
  const tokens = template.replaceAll(/\s*\{\{-/g, "{{").split(/(\{\{.*?\}\})/);
  const branches: Branch[] = [];
  let output = "";
  for (const token of tokens) {
    const action = /^\{\{\s*(.*?)\s*\}\}$/.exec(token)?.[1];
    const isShown = branches.every((branch) => branch.isTaken !== branch.hasElse);
    if (action === undefined) output += isShown ? token : "";
    else if (action.startsWith("if ")) {
      branches.push({ isTaken: isTrue(evaluate(action.slice(3), scope)), hasElse: false });
    } else if (action === "else") lastOf(branches).hasElse = true;
    else if (action === "end") branches.splice(branches.indexOf(lastOf(branches)), 1);
    else if (isShown) output += String(evaluate(action, scope));
  }
  if (branches.length > 0) throw new Error("an `if` has no `end`");
  return output;
}

function lastOf(branches: readonly Branch[]): Branch {
  const last = branches.at(-1);
  if (last === undefined) throw new Error("there is no `if` before it");
  return last;
}

/** What Helm takes for true: nothing that is empty. */
function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function evaluate(expression: string, scope: Values): unknown {
  const [first = "", ...filters] = expression.split("|").map((part) => part.trim());
  const [, call, path] = /^(?:(toYaml|toJson) )?(\.[\w.]+)$/.exec(first) ?? [];
  if (path === undefined) throw new Error(`a template uses what is not tested: ${expression}`);
  let value = lookUp(path, scope);
  if (call === "toYaml") value = stringify(value).trimEnd();
  if (call === "toJson") value = JSON.stringify(value);
  return filters.reduce<unknown>((input, filter) => applyFilter(filter, input), value);
}

function lookUp(path: string, scope: Values): unknown {
  let value: unknown = scope;
  for (const key of path.slice(1).split(".")) {
    if (!isGroup(value) || !(key in value)) throw new Error(`there is no value ${path}`);
    value = value[key];
  }
  return value;
}

function applyFilter(filter: string, input: unknown): string {
  if (filter === "quote") return JSON.stringify(String(input));
  const width = Number(/^nindent (\d+)$/.exec(filter)?.[1] ?? Number.NaN);
  if (Number.isNaN(width)) throw new Error(`a template uses what is not tested: ${filter}`);
  const indent = `\n${" ".repeat(width)}`;
  return indent + String(input).replaceAll("\n", indent);
}
