// The bodies of operators' commands: JSON that a schema describes, or a sentence that says what is wrong with it.
import type { z } from "zod";
import { tryParse } from "../../json.ts";

/** What a schema makes of the body; a text says what is wrong with it, with `example` of what it could be. */
export function readBody<Value extends object>(
  text: string,
  schema: z.ZodType<Value>,
  example: string,
): Value | string {
  const expected = `The body must be JSON such as ${example}`;
  const value = tryParse(text);
  if (value === undefined) return `${expected}.`;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "" : `\`${issue.path.join(".")}\`: `;
  return `${expected}: ${where}${issue?.message ?? "it is not"}.`;
}
