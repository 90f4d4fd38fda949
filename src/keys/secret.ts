// A client key's secret: 256 random bits behind a word that tells what it is, so that scanners for leaked secrets and people
// recognise it. Nothing but its SHA-256 is kept: a hash that is fast is enough for what can't be guessed.
import { createHash } from "node:crypto";
import { randomSecret } from "../clock.ts";

const WORD = "sk-sluice-";
/** Of the random part; 36 of its 256 bits. */
const SHOWN_CHARS = 6;

export interface Secret {
  /** Shown once, to whoever asked for it. */
  readonly text: string;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
  /** Its beginning, by which people know it again. */
  readonly prefix: string;
}

export function newSecret(): Secret {
  const text = WORD + randomSecret();
  return {
    text,
    sha256: createHash("sha256").update(text).digest("hex"),
    prefix: text.slice(0, WORD.length + SHOWN_CHARS),
  };
}
