// `${VAR}` and `${VAR:-default}` inside a value; `$${` is a plain `${`. As in a shell, `:-` also stands in for a variable that
// is empty. The result never gets into a message, for it may be a secret.
import { didYouMean } from "./suggest.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** The value of the first variable that is set and not empty. */
export function firstSet(variables: readonly string[] | undefined, env: Env): string | undefined {
  for (const variable of variables ?? []) {
    const value = env[variable];
    if (value !== undefined && value !== "") return value;
  }
  return undefined;
}

export interface Interpolated {
  readonly text: string;
  /** Whether anything came from the environment or a default. */
  readonly isChanged: boolean;
  /** What is wrong, with its offset in the text. */
  readonly faults: readonly { readonly offset: number; readonly message: string }[];
}

const REFERENCE = /\$\$\{|\$\{([^{}]*)(\}?)/g;
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** What YAML would read as structure inside a reference, in pairs with characters that no text has (Unicode's noncharacters). */
const MASKS = new Map(
  Array.from("{}[],:#", (character, index) => [character, String.fromCharCode(0xfdd0 + index)] as const),
);
const UNMASKS = new Map(Array.from(MASKS, ([character, mask]) => [mask, character] as const));

/**
 * Hides the structure inside references from YAML, so that `{ key: ${NAME} }` needs no quotation marks. Every character
 * keeps its place. `unmask` undoes it in what YAML has read.
 */
export function mask(text: string): string {
  return text.replaceAll(/\$\{[^{}\n]*\}/g, (reference) =>
    reference.replaceAll(/[{}[\],:#]/g, (character) => MASKS.get(character) ?? character),
  );
}

export function unmask(text: string): string {
  return text.replaceAll(/[\uFDD0-\uFDD6]/g, (character) => UNMASKS.get(character) ?? character);
}

/** The text with its variables filled in. A variable that is missing is a fault and leaves nothing in its place. */
export function interpolate(text: string, env: Env): Interpolated {
  const faults: { offset: number; message: string }[] = [];
  let isChanged = false;
  const filled = text.replaceAll(
    REFERENCE,
    (_match, inner: string | undefined, end: string, offset: number) => {
      if (inner === undefined) return "${";
      isChanged = true;
      const parts = NAME.exec(inner);
      if (end === "" || parts?.[1] === undefined) {
        faults.push({ offset, message: "a variable is written ${NAME} or ${NAME:-default}" });
        return "";
      }
      const [, name, fallback] = parts;
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
      if (value !== undefined) return value;
      faults.push({ offset, message: missingVariable(name, env) });
      return "";
    },
  );
  return { text: filled, isChanged, faults };
}

function missingVariable(name: string, env: Env): string {
  return `the environment variable ${name} is not set${didYouMean(name, Object.keys(env))}`;
}
