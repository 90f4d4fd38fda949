// What a Claude model takes, told from its name, because the API answers 400 to what a model doesn't know. Names carry
// their generation in one of two orders (`claude-3-7-sonnet-…`, `claude-opus-4-6-…`), with vendors' own affixes around
// them. A name without one is taken for a new model.

/** The API versions this file knows; the second is the first to refuse sampling parameters altogether. */
export const VERSIONS = ["2023-06-01", "2026-10-21"] as const;
export type ApiVersion = (typeof VERSIONS)[number];

export interface Capabilities {
  /** `budget`: thinking with a budget in tokens; `adaptive`: thinking with an effort. */
  readonly thinking: "none" | "budget" | "adaptive";
  /** `free`: temperature and top_p; `single`: one of the two; `fixed`: none but their defaults; `refused`: not even those. */
  readonly sampling: "free" | "single" | "fixed" | "refused";
  /** Answers and tool inputs that follow a JSON schema strictly. */
  readonly schemas: boolean;
  /** The most tokens the model can produce, where it is known. */
  readonly maxOutputTokens: number | undefined;
}

interface Generation {
  readonly family: string;
  /** Major and minor as one number to compare: 4.6 is 406. */
  readonly number: number;
}

const NAME = /claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?(?:-([a-z]+))?/;

function generationOf(model: string): Generation | undefined {
  const match = NAME.exec(model.toLowerCase());
  if (match === null) return undefined;
  const [, before, major = "0", minor = "0", after] = match;
  return { family: before ?? after ?? "", number: Number(major) * 100 + Number(minor) };
}

/** What the model takes under this API version. */
export function capabilities(model: string, version: ApiVersion): Capabilities {
  const generation = generationOf(model);
  const refused = version !== "2023-06-01";
  if (generation === undefined) {
    return {
      thinking: "adaptive",
      sampling: refused ? "refused" : "free",
      schemas: true,
      maxOutputTokens: undefined,
    };
  }
  const { family, number } = generation;
  const fixed = number > 406 ? "fixed" : number >= 401 ? "single" : "free";
  return {
    thinking: number < 307 ? "none" : number < 406 ? "budget" : "adaptive",
    sampling: refused ? "refused" : fixed,
    schemas: number >= 405 || (number === 401 && family === "opus"),
    maxOutputTokens: outputLimit(family, number),
  };
}

/** Documented limits: https://platform.claude.com/docs/en/about-claude/models/overview (read November 2026). */
function outputLimit(family: string, number: number): number {
  if (number < 305) return 4096;
  if (number < 307) return 8192;
  return family === "opus" && number >= 400 && number < 405 ? 32_000 : 64_000;
}
