// The bodies of operators' commands: JSON that a schema describes, or a sentence that says what is wrong with it.
import type { z } from "zod";

/** What a schema makes of the body; a text says what is wrong with it, with `example` of what it could be. */
export function readBody<Value extends object>(
  text: string,
  schema: z.ZodType<Value>,
  example: string,
): Value | string {
  const expected = `The body must be JSON such as ${example}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `${expected}.`;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "" : `\`${issue.path.join(".")}\`: `;
  return `${expected}: ${where}${issue?.message ?? "it is not"}.`;
}
