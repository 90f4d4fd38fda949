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
  const items = thoughtsIn(message);
  const blocks: ThinkingBlock[] = [];
  let text = "";
  for (const item of items) {
    const redacted = readText(item, "data");
    if (redacted !== undefined) {
      blocks.push({ kind: "redacted", data: redacted });
      continue;
    }
    if (!isObject(item)) continue;
    text += readString(item, "thinking") ?? readString(item, "reasoning") ?? readString(item, "text") ?? "";
    const signature = readText(item, "signature");
    if (signature === undefined) continue;
    blocks.push({ kind: "signed", thinking: text, signature });
    text = "";
  }
  const isUnsigned =
    text !== "" || (items.length === 0 && readText(message, "reasoning_content") !== undefined);
  return { blocks, unsigned: isUnsigned ? 1 : 0 };
}

const THOUGHTS = new Set(["thinking", "redacted_thinking", "reasoning"]);

/** Whether a part of a message's content is a thought, as some clients write them. */
export function isThought(part: unknown): boolean {
  return THOUGHTS.has(readString(part, "type") ?? "");
}

/** Whether an assistant's message brings thoughts, signed or not. */
export function hasThoughts(message: Json): boolean {
  return thoughtsIn(message).length > 0 || readText(message, "reasoning_content") !== undefined;
}

/** A message's thoughts from the first place that has any. */
function thoughtsIn(message: Json): readonly unknown[] {
  const places = [readArray(message, "thinking_blocks"), readArray(message, "reasoning_details")];
  return places.find((items) => items.length > 0) ?? readArray(message, "content").filter(isThought);
}
