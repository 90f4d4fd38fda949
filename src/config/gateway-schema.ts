// The sections of `sluice.yaml` about the gateway's own behaviour towards its clients.
import type { z } from "zod";
import { list, strict } from "./provider-schema.ts";
import { byteSize, duration, integer, positiveDuration, text, word } from "./scalars.ts";

export const http = strict({
  max_body: byteSize(1)
    .prefault("64mb")
    .describe("The largest body of a request, before and after decoding."),
  max_bodies: byteSize(1)
    .prefault("1gb")
    .describe("What all large bodies may take together until their requests are answered."),
  max_upload: byteSize(1)
    .prefault("512mb")
    .describe("The largest form with files; files are passed on as they come."),
  max_head: byteSize(1024).prefault("32kb").describe("The largest head of a request: its line and headers."),
  max_connections: integer({ min: 1, max: 1_000_000 })
    .prefault("20_000")
    .describe("How many clients may be connected; more are cut off at once."),
  head_timeout: positiveDuration().prefault("15s").describe("How long the head of a request may take."),
  body_stall: positiveDuration().prefault("30s").describe("How long a body may pause on its way."),
  request_timeout: positiveDuration()
    .prefault("5m")
    .describe("How long the head and the body of a request may take together."),
  write_stall: positiveDuration()
    .prefault("30s")
    .describe("How long a client may take nothing of an answer that waits for it."),
  keep_alive: positiveDuration()
    .prefault("620s")
    .describe(
      "How long a connection without a request is kept; longer than any load balancer before it does.",
    ),
});

export type RawHttp = z.output<typeof http>;

export const cache = strict({
  ttl: duration()
    .prefault("0")
    .describe("How long an answer may be given again to the same request; 0: no answers are kept."),
  models: list(text(), "a list of models such as [ smart ]")
    .optional()
    .describe("Whose answers are kept, by the names that clients ask for; by default all."),
  except: list(text(), "a list of models such as [ smart ]")
    .prefault([])
    .describe("Names whose answers are not kept."),
  scope: word(["key", "shared"])
    .prefault("key")
    .describe("Whether an answer is given only to the client key that it was made for, or to all."),
  max_memory: byteSize(0).prefault("64mb").describe("What kept answers may take in memory."),
  max_disk: byteSize(0)
    .prefault("1gb")
    .describe("What they may take in the data folder, where they outlive a restart; 0: memory only."),
  max_answer: byteSize(1).prefault("1mb").describe("Larger answers are not kept."),
});

export type RawCache = z.output<typeof cache>;
