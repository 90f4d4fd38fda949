// Client keys that are made at run time. They are described as in `sluice.yaml` and pass the same checks, so that what works
// there works here; but nothing is taken from the environment, for the words come over the network.
import { tryParse } from "../json.ts";
import type { Config, KeyDefinition } from "./config.ts";
import { type Plain, readDocument } from "./document.ts";
import { describePath, type Path } from "./problems.ts";
import type { Findings } from "./report.ts";
import { resolveKeyDefinition } from "./resolve-keys.ts";
import { keyDefinitionSchema, type RawKeyDefinition } from "./schema.ts";
import { validate } from "./validate.ts";

/** A definition as it was written: to be kept, and read again by `parseKeyDefinition`. */
export interface WrittenKey {
  readonly kind: "written";
  readonly raw: RawKeyDefinition;
  /** Texts in lists and maps. */
  readonly plain: Plain;
}

export interface KeyFault {
  readonly kind: "fault";
  /** What is wrong, a sentence or several. */
  readonly message: string;
}

/** Longer texts don't fit what the fleet shares. */
const TEXT_CHARS_MAX = 16_384;

/** Reads an operator's words, JSON. */
export function readKeyDefinition(text: string): WrittenKey | KeyFault {
  if (text.length > TEXT_CHARS_MAX) return { kind: "fault", message: "The definition is too long." };
  if (tryParse(text) === undefined) {
    return { kind: "fault", message: 'The body must be JSON such as {"name": "team-a"}.' };
  }
  const document = readDocument(text, "", {});
  const { value, problems } = validate(document, keyDefinitionSchema);
  const [problem] = problems;
  if (problem !== undefined) return faultAt(problem.key, problem.message);
  if (value === undefined) return { kind: "fault", message: "The body is not a key's definition." };
  return { kind: "written", raw: value, plain: document.value };
}

/** Reads a definition that was kept; null: it is of a version that knows more. */
export function parseKeyDefinition(plain: unknown): RawKeyDefinition | null {
  const parsed = keyDefinitionSchema.safeParse(plain);
  return parsed.success ? parsed.data : null;
}

/** What the key may do in this configuration, and what is wrong with that. */
export function resolveRuntimeKey(
  raw: RawKeyDefinition,
  { providers, models }: Pick<Config, "providers" | "models">,
): { readonly definition: KeyDefinition; readonly fault: KeyFault | null } {
  let fault: KeyFault | null = null;
  const report: Findings = {
    error: (path: Path, message) => (fault ??= faultAt(describePath(path), message)),
    isLeft: () => false,
  };
  const definition = resolveKeyDefinition(raw, [], { providers, aliases: models, report });
  return { definition, fault };
}

function faultAt(key: string, message: string): KeyFault {
  const stop = /[.?]$/.test(message) ? "" : ".";
  const text = `${message.slice(0, 1).toUpperCase()}${message.slice(1)}${stop}`;
  return { kind: "fault", message: key === "" ? text : `\`${key}\`: ${message}${stop}` };
}
