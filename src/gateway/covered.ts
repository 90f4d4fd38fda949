// A provider that refuses a request may quote what it was sent: its own key, or a header that the operator configured.
// Its words go to clients, so the secrets among them are covered first.
import type { GatewayError } from "../errors.ts";

/** Shorter values would cover ordinary words. */
const SECRET_CHARS_MIN = 6;
const COVERED = "[secret]";

/** The forms in which secrets turn up in texts: as they are, in JSON, in a URL. Longest first, for one may hold another. */
export function secretForms(secrets: Iterable<string>): readonly string[] {
  const long = [...secrets].filter((secret) => secret.length >= SECRET_CHARS_MIN);
  const forms = long.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
  ]);
  return [...new Set(forms)].toSorted((left, right) => right.length - left.length);
}

/** The error without these forms of secrets; the very same one when it holds none. */
export function covered(error: GatewayError, forms: readonly string[]): GatewayError {
  const { message, answer } = error;
  const isClean = forms.every((form) => !message.includes(form) && answer?.body.includes(form) !== true);
  if (isClean) return error;
  return error.with({
    message: withoutForms(message, forms),
    ...(answer === undefined ? {} : { answer: { ...answer, body: withoutForms(answer.body, forms) } }),
  });
}

function withoutForms(text: string, forms: readonly string[]): string {
  return forms.reduce((rest, form) => rest.replaceAll(form, COVERED), text);
}
