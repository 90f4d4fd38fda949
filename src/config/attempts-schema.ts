// What `sluice.yaml` says about a request's way to an answer: waiting for room, trying again, asking a second target,
// leaving alone what keeps failing, and how long all of it may take.
import { ENDPOINTS } from "../../providers/dialects/vocabulary.ts";
import { HEDGED_ENDPOINTS } from "./config.ts";
import { strict, list } from "./provider-schema.ts";
import { duration, integer, number, percentileOr, positiveDuration, word } from "./scalars.ts";

export const queue = strict({
  max_wait: duration()
    .prefault("10s")
    .describe("How long a request may wait for room instead of being refused; 0 refuses at once."),
  max_length: integer({ min: 0, max: 1_000_000 })
    .prefault("1000")
    .describe("How many requests may wait for one limit."),
});

export const retry = strict({
  attempts: integer({ min: 1, max: 20 })
    .prefault("2")
    .describe("How often one request may be sent in all, the first time included."),
  backoff: strict({
    first: duration().prefault("250ms").describe("The first pause before a retry is a random part of this."),
    max: duration()
      .prefault("4s")
      .describe("Each further pause is a part of twice as much, up to a part of this."),
  })
    .prefault({})
    .describe("Pauses before the same target is tried again; its own `retry-after` comes first."),
  max_pause: duration()
    .prefault("10s")
    .describe("Nobody waits longer than this before a retry, whatever a provider asks for."),
  budget: strict({
    percent: number({ min: 0, max: 100 })
      .prefault("20")
      .describe("How many retries a hundred requests to a provider allow."),
    saved: number({ min: 0, max: 1000 })
      .prefault("10")
      .describe("How many retries can be saved up, which is also what there is at the start."),
  })
    .prefault({})
    .describe("How much retries may add to a provider's load."),
});

export const circuit = strict({
  failures: integer({ min: 1, max: 1000 })
    .prefault("5")
    .describe("So many failures in a row open a circuit."),
  error_percent: number({ min: 1, max: 100 })
    .prefault("50")
    .describe("So does this percentage of failures within `window`."),
  window: positiveDuration().prefault("10s").describe("The time over which failures are compared."),
  min_results: integer({ min: 1, max: 1_000_000 })
    .prefault("20")
    .describe("Fewer results than this within `window` tell no percentage."),
  open: positiveDuration()
    .prefault("5s")
    .describe("How long a circuit is open before a probe is let through; doubled by each probe that fails."),
  max_open: positiveDuration().prefault("2m").describe("It is never open for longer than this."),
  probes: integer({ min: 1, max: 100 })
    .prefault("1")
    .describe("How many probes run at once, and how many have to succeed to close it."),
  probe_timeout: positiveDuration()
    .prefault("60s")
    .describe("A probe that has not ended by then does not keep the next one back."),
});

export const hedge = strict({
  after: percentileOr()
    .prefault("never")
    .describe(
      "How long an answer may take to begin before a second target is asked too: as long as most take there, or a time.",
    ),
  min: positiveDuration().prefault("200ms").describe("Never sooner than this, whatever the percentile."),
  percent: number({ min: 0, max: 100 })
    .prefault("5")
    .describe("How many hedges a hundred requests allow; they come out of the retry budgets too."),
  endpoints: list(word(ENDPOINTS))
    .prefault([...HEDGED_ENDPOINTS])
    .describe("What may be asked twice: by default what leaves nothing behind at the provider."),
});

export const timeouts = strict({
  connect: positiveDuration().prefault("5s").describe("To connect to a provider."),
  first_token: positiveDuration()
    .prefault("60s")
    .describe("From sending a request to the first event of the answer."),
  attempt: positiveDuration()
    .optional()
    .describe(
      "From sending a request to the beginning of any answer, also one that comes as a whole; none by default.",
    ),
  idle: positiveDuration().prefault("120s").describe("Between two parts of an answer."),
  total: positiveDuration()
    .prefault("10m")
    .describe("From a request's arrival to its end, waiting and retries included."),
  drain: duration()
    .prefault("30s")
    .describe("How long running requests may go on when Sluice is told to stop."),
});
