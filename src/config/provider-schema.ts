// What can be said about a provider, in its catalog file and in `sluice.yaml` alike: the user's word wins over the catalog's,
// key by key. Every key has one sentence, which editors show.
import { z } from "zod";
import { DIALECT_NAMES, ENDPOINTS } from "../../providers/dialects/vocabulary.ts";
import type { Dimension } from "../bucket/limit.ts";
import { AUTH_KINDS } from "./access-config.ts";
import { ERROR_KINDS } from "./config.ts";
import {
  anyValue,
  baseUrl,
  duration,
  flag,
  integer,
  number,
  period,
  rate,
  secret,
  text,
  timezone,
  url,
  word,
} from "./scalars.ts";

export const DIMENSIONS = [
  "requests",
  "tokens",
  "input_tokens",
  "output_tokens",
  "usd",
  "concurrent",
] as const satisfies readonly Dimension[];

/**
 * An object in which unknown keys are errors. The message of such an error is the list of the keys that are known, from
 * which `validate.ts` makes "did you mean".
 */
export function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? Object.keys(shape).join(" ") : "expected keys and values",
  });
}

/** Any name → a value of one kind. */
export function named<Value extends z.ZodType>(value: Value, expected = "names and their values") {
  return z.record(z.string(), value, { error: `expected ${expected}` });
}

export function list<Item extends z.ZodType>(item: Item, expected = "a list") {
  return z.array(item, { error: `expected ${expected}` });
}

const dollars = number({ min: 0, max: 1_000_000 });

const limit = strict({
  requests: rate().optional().describe("Requests per period, such as 500/min."),
  tokens: rate()
    .optional()
    .describe("Model tokens per period, input and output together, such as 200_000/min."),
  input_tokens: rate().optional().describe("Input tokens per period."),
  output_tokens: rate().optional().describe("Output tokens per period."),
  usd: rate()
    .optional()
    .describe("US dollars per period, counted with the models' prices, such as 200/month."),
  concurrent: integer({ min: 1 }).optional().describe("How many requests may run at the same time."),
  dimension: word(DIMENSIONS).optional().describe("The long form: what is counted."),
  amount: number({ min: 0 })
    .optional()
    .describe("The long form: how much per period, or how many at the same time."),
  per: period().optional().describe("The long form: the period."),
  burst: number({ min: 1 })
    .optional()
    .describe("What can be used at once after a pause; the amount by default."),
  refill: word(["continuous", "calendar"])
    .optional()
    .describe(
      "Whether units come back evenly or all at once when a period of the calendar begins; by default calendar for day and month.",
    ),
  timezone: timezone()
    .optional()
    .describe("Whose midnight begins a day or month of the calendar; UTC by default."),
});

export type RawLimit = z.output<typeof limit>;

export const limits = list(limit, "a list of limits such as [ { requests: 500/min } ]");

export const limitsOrAuto = z.union([word(["auto"]), limits], {
  error: "expected `auto` or a list of limits such as [ { requests: 500/min } ]",
});

const priceList = {
  input: dollars.describe("Input, in US dollars per million tokens."),
  output: dollars.describe("Output, in US dollars per million tokens."),
  cached_input: dollars
    .optional()
    .describe("Input read from the provider's cache; the input price by default."),
  cache_write: dollars
    .optional()
    .describe("Input written to the provider's cache; the input price by default."),
};

const imagePrices = z
  .union(
    [
      number({ min: 0, max: 1000 }).transform((usd) => [{ usd }]),
      list(
        strict({
          size: text().optional().describe("Pictures of this size, such as 1024x1024; of any by default."),
          quality: text().optional().describe("Pictures of this quality; of any by default."),
          usd: number({ min: 0, max: 1000 }).describe("One picture, in US dollars."),
        }),
      ).min(1, { error: "expected at least one price" }),
    ],
    { error: "expected US dollars for a picture, or a list such as [ { size: 1024x1024, usd: 0.04 } ]" },
  )
  .optional()
  .describe(
    "Pictures, in US dollars each, or by size and quality; the first is what is made when a request does not say.",
  );

const unitPrices = {
  request: dollars.optional().describe("Each request, in US dollars, beside everything else; 0 by default."),
  images: imagePrices,
  minute: dollars.optional().describe("Sound that goes in, in US dollars per minute."),
  characters: dollars.optional().describe("Text that is spoken, in US dollars per million characters."),
  searches: dollars.optional().describe("Ranking of documents, in US dollars per thousand searches."),
};

const prices = strict({
  ...priceList,
  as_of: z.iso
    .date({ error: "expected a day such as 2026-11-21" })
    .optional()
    .describe("The day for which they are known to hold; the catalog file's by default."),
  input: priceList.input.optional(),
  output: priceList.output.optional(),
  ...unitPrices,
  long: strict({
    above: integer({ min: 1 }).describe("For requests with more input tokens than this."),
    ...priceList,
  })
    .optional()
    .describe("What all tokens of a request with a long input cost; the same by default."),
});

const model = strict({
  family: text().optional().describe("Models of one family share the provider's quota."),
  context: integer({ min: 1 }).optional().describe("How many tokens fit into the context window."),
  max_output: integer({ min: 1 }).optional().describe("How many tokens the model can produce at most."),
  prices: prices.optional().describe("What it costs, in US dollars."),
  limits: limits.optional().describe("Limits of this model at this provider, beside the provider's own."),
});

export type RawModel = z.output<typeof model>;

const quirks = strict({
  rename: named(text()).optional().describe("Members of the request body that go by another name there."),
  drop: list(text())
    .optional()
    .describe("Members of the request body that the provider refuses and that are left out."),
  roles: named(text()).optional().describe("Message roles that go by another name there."),
  flatten_content: flag()
    .optional()
    .describe("Whether message content must be a string rather than a list of parts."),
  stream_options: flag()
    .optional()
    .describe("Whether the provider understands `stream_options`; true by default."),
  set: named(anyValue()).optional().describe("Members added to every request body that does not have them."),
  strip: list(text()).optional().describe("Members removed from messages, their parts and tools."),
  no_image_detail: flag().optional().describe("Whether the provider refuses `image_url.detail`."),
  no_strict_tools: flag().optional().describe("Whether the provider refuses `strict` in tools."),
  tool_id_length: integer({ min: 4, max: 64 })
    .optional()
    .describe("How many letters and digits ids of tool calls must have; others are replaced."),
  reasoning_field: text()
    .optional()
    .describe("The member of streamed deltas that holds reasoning text, when it has an unusual name."),
  add_reasoning: flag()
    .optional()
    .describe("Whether the reported output tokens leave out the reasoning tokens."),
  canonical: flag()
    .optional()
    .describe(
      "Whether its answers are known to be what official clients expect, so that they are passed on without a look at each.",
    ),
});

const limitHeader = strict({
  dimension: word(DIMENSIONS).describe("What the header counts."),
  window: duration().optional().describe("The length of the window it counts over."),
});

const limitHeaders = strict({
  reset_unit: word(["ms", "s", "epoch_s", "epoch_ms"])
    .optional()
    .describe("What a bare number in a reset header means, where its size does not tell."),
  names: named(limitHeader)
    .optional()
    .describe("By the last part of a header's name: what it counts, and over how long."),
});

const counting = strict({
  tokens_count_output: flag()
    .optional()
    .describe("Whether the provider's token limits count output too; true by default."),
  cached_input_counts: flag()
    .optional()
    .describe("Whether input read from a cache counts against limits; true by default."),
  reserves_output: word(["none", "max_tokens", "model_maximum"])
    .optional()
    .describe("What the provider sets aside for the answer when it admits a request; none by default."),
  output_weight: number({ min: 0, max: 1000 })
    .optional()
    .describe("How many units one output token costs; 1 by default."),
});

const errorHint = strict({
  status: integer({ min: 100, max: 599 }).optional().describe("The HTTP status it applies to."),
  code: text().optional().describe("The error's code, type or status name it applies to."),
  message: text().optional().describe("A part of the error's message it applies to, whatever the case."),
  kind: word(ERROR_KINDS).describe("What such an error means."),
});

const path = z.string({ error: "expected a path such as /chat/completions" }).regex(/^(?:\{origin\})?\//, {
  error: "a path begins with /, or with {origin}/ if it does not lie below the base URL",
});

const paths = z.partialRecord(z.enum(ENDPOINTS), path, { error: "expected paths by endpoint" });

/** The keys that a catalog file and a provider in `sluice.yaml` have in common. */
export const providerShape = {
  dialect: word(DIALECT_NAMES).optional().describe("The wire language that the provider speaks."),
  base_url: baseUrl()
    .optional()
    .describe("Where its API begins; {placeholders} are filled in from `options`."),
  headers: named(text()).optional().describe("Headers sent with every request."),
  query: named(text()).optional().describe("Parameters added to the query of every request."),
  paths: paths
    .optional()
    .describe(
      "Paths below the base URL that differ from the language's own; {model} stands for the model's name, and after {origin} a path begins at the root of the host.",
    ),
  endpoints: list(word(ENDPOINTS))
    .optional()
    .describe("What the provider can be asked for; anything is tried by default."),
  quirks: quirks.optional().describe("In what the provider differs from the language it speaks."),
  limit_headers: limitHeaders.optional().describe("How its rate-limit headers are to be read."),
  counting: counting.optional().describe("How it counts a request against its own limits."),
  day_refill: word(["continuous", "calendar"])
    .optional()
    .describe("How its limits per day and month come back; calendar by default."),
  day_timezone: timezone().optional().describe("Whose midnight begins its day; UTC by default."),
  errors: list(errorHint)
    .optional()
    .describe("What its errors mean, tried in order before the general rules."),
  models: named(model.prefault({}), "models and what is known of them")
    .optional()
    .describe("Its models by the provider's own names; a model not listed can be asked for all the same."),
} as const;

/** How a provider asks for its key, and where a key comes from that expires; a catalog file also names the environment variables. */
export const authShape = {
  kind: word(AUTH_KINDS)
    .optional()
    .describe(
      "How requests are authenticated: by a header with a key (default), by one with an access token that is renewed (`service_account`, `client_credentials`, `metadata`), by AWS Signature Version 4 (`sigv4`), or not at all (`none`).",
    ),
  header: text()
    .optional()
    .describe("The header that carries the API key or token; authorization by default."),
  prefix: z
    .string()
    .optional()
    .describe("What stands before the key; `Bearer ` for authorization, nothing for other headers."),
  service: text().optional().describe("The service name that signatures are made for."),
  file: text()
    .optional()
    .describe(
      "For `service_account`: the JSON file with the account's private key, or a user's credentials.",
    ),
  token_url: url().optional().describe("Where tokens are issued, for the kinds whose file does not say."),
  client_id: text().optional().describe("For `client_credentials`: the client's id."),
  client_secret: secret().optional().describe("For `client_credentials`: the client's secret."),
  client_assertion_file: text()
    .optional()
    .describe("For `client_credentials`: a file with a signed assertion, instead of a secret."),
  scope: text().optional().describe("What tokens are asked for."),
  parameters: named(text())
    .optional()
    .describe("For `client_credentials`: what else is sent to the issuer, such as an audience."),
  metadata_url: url().optional().describe("For `metadata`: where this machine gets its tokens."),
  metadata_headers: named(text())
    .optional()
    .describe("For `metadata`: the headers that have to be sent there."),
} as const;
