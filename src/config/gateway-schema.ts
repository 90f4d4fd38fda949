// The sections of `sluice.yaml` about the gateway's own behaviour towards its clients.
import type { z } from "zod";
import { list, strict } from "./provider-schema.ts";
import { byteSize, duration, text, word } from "./scalars.ts";

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
  max_memory: byteSize().prefault("64mb").describe("What kept answers may take in memory."),
  max_disk: byteSize()
    .prefault("1gb")
    .describe("What they may take in the data folder, where they outlive a restart; 0: memory only."),
  max_answer: byteSize().prefault("1mb").describe("Larger answers are not kept."),
});

export type RawCache = z.output<typeof cache>;
