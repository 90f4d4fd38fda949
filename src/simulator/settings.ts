// The simulator's settings as text, from a provider's `options` in the configuration or from the command line.
import { GatewayError } from "../errors.ts";
import type { Rate } from "./quota.ts";
import type { SimulatorOptions } from "./simulator.ts";

/** What can be set, and what it means. */
export const SETTINGS = {
  requests_per_min: "requests per minute that it lets in; absent: all",
  requests_burst: "how many requests it lets in at once; absent: as many as per minute",
  tokens_per_min: "tokens per minute that it lets in, and as many at once; absent: all",
  concurrent: "requests that may run at a time; absent: all",
  slack_ms:
    "what its quota forgives, as milliseconds of refill: requests that set out in time may arrive bunched",
  first_ms: "milliseconds before the first byte of an answer",
  pace_ms: "milliseconds between two chunks of a stream",
} as const;

/** Two requests may differ by this much in how long they travel. */
const SLACK_MS = 250;
const MINUTE_MS = 60_000;

/** Throws `invalid_config` naming the setting that is unknown or not a number. */
export function parseSettings(
  texts: Readonly<Record<string, string | undefined>>,
): Pick<SimulatorOptions, "quota" | "firstMs" | "paceMs"> {
  for (const name of Object.keys(texts)) {
    if (!Object.hasOwn(SETTINGS, name)) {
      throw new GatewayError("invalid_config", `The simulator has no setting \`${name}\`.`);
    }
  }
  const number = (name: keyof typeof SETTINGS): number | null => parseNumber(name, texts[name]);
  const slackMs = number("slack_ms") ?? SLACK_MS;
  const requests = number("requests_per_min");
  const tokens = number("tokens_per_min");
  const concurrent = number("concurrent");
  return {
    quota: {
      ...(requests === null
        ? {}
        : { requests: toRate(requests, slackMs, number("requests_burst") ?? requests) }),
      ...(tokens === null ? {} : { tokens: toRate(tokens, slackMs, tokens) }),
      ...(concurrent === null ? {} : { concurrent }),
    },
    firstMs: number("first_ms") ?? 0,
    paceMs: number("pace_ms") ?? 0,
  };
}

function toRate(perMinute: number, slackMs: number, capacity: number): Rate {
  return { capacity, perMinute, slack: (perMinute * slackMs) / MINUTE_MS };
}

function parseNumber(name: string, text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  const number = Number(text.replaceAll("_", ""));
  if (Number.isFinite(number) && number >= 0) return number;
  throw new GatewayError("invalid_config", `The simulator's \`${name}\` must be a number of at least 0.`);
}
