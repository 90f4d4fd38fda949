// Reasoning that a provider signed, on its way through chat messages. Models of one family want their own thinking back
// unchanged during tool use; chat completions have no place for it, so it travels as `thinking_blocks` on the assistant
// message (and in stream deltas, one whole block per delta), and is read back from there or from `reasoning_details`.
import { isObject, readArray, readString, readText, type Json } from "../json.ts";

/** Thinking with its signature, or thinking only the provider can read. */
export type ThinkingBlock =
  | { readonly kind: "signed"; readonly thinking: string; readonly signature: string }
  | { readonly kind: "redacted"; readonly data: string };

/** The blocks as they stand in a message or delta. */
export function thinkingToChat(blocks: readonly ThinkingBlock[]): readonly Json[] {
  return blocks.map((block) =>
    block.kind === "signed"
      ? { type: "thinking", thinking: block.thinking, signature: block.signature }
      : { type: "redacted_thinking", data: block.data },
  );
}

/**
 * The blocks of an assistant message. Those without a signature can't be replayed; `unsigned` counts them. Pieces that a
 * client collected from a stream (text first, the signature in a later item) are joined.
 */
export function thinkingFromChat(message: Json): {
  readonly blocks: readonly ThinkingBlock[];
  readonly unsigned: number;
} {
  const listed = readArray(message, "thinking_blocks");
  const items = listed.length > 0 ? listed : readArray(message, "reasoning_details");
  const blocks: ThinkingBlock[] = [];
  let text = "";
  let unsigned = 0;
  for (const item of items) {
    const redacted = readText(item, "data");
    if (redacted !== undefined) {
      blocks.push({ kind: "redacted", data: redacted });
      continue;
    }
    if (!isObject(item)) continue;
    text += readString(item, "thinking") ?? readString(item, "text") ?? "";
    const signature = readText(item, "signature");
    if (signature === undefined) continue;
    blocks.push({ kind: "signed", thinking: text, signature });
    text = "";
  }
  if (text !== "") unsigned++;
  return { blocks, unsigned };
}
