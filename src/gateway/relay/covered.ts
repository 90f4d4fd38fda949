// A provider that refuses a request may quote what it was sent: its own key, or a header that the operator configured.
// Its words go to clients, so the secrets among them are covered first.
import type { GatewayError } from "../../errors.ts";
import { COVERED, SECRET_CHARS_MIN } from "../../observe/secret-forms.ts";

/** The error without these forms of secrets; the very same one when it holds none. */
export function covered(error: GatewayError, forms: readonly string[]): GatewayError {
  const { message, answer } = error;
  const shown = withoutSecrets(message, forms);
  const body = answer === undefined ? undefined : withoutSecrets(answer.body, forms);
  if (shown === message && body === answer?.body) return error;
  const shownAnswer = answer === undefined || body === undefined ? {} : { answer: { ...answer, body } };
  return error.with({ message: shown, ...shownAnswer });
}

/** The text without these forms of secrets. */
export function withoutSecrets(text: string, forms: readonly string[]): string {
  return forms.reduce((rest, form) => withoutCut(rest.replaceAll(form, COVERED), form), text);
}

/** A text that was cut short may end in the beginning of a secret. */
function withoutCut(text: string, form: string): string {
  if (!text.endsWith("…")) return text;
  for (let length = form.length - 1; length >= SECRET_CHARS_MIN; length--) {
    const end = `${form.slice(0, length)}…`;
    if (text.endsWith(end)) return `${text.slice(0, -end.length)}${COVERED}…`;
  }
  return text;
}
