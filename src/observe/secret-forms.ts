// The forms in which secrets turn up in texts that quote them: logs, providers' refusals, issuers' answers.

/** Stands where a secret stood. */
export const COVERED = "[secret]";
/** Shorter values would cover ordinary words. */
export const SECRET_CHARS_MIN = 6;

/** One secret as it is, in JSON, in a URL, and in a form. */
export function formsOf(secret: string): readonly string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams([["", secret]]).toString().slice(1),
  ];
}

/** The forms of all that are long enough to be told from words. Longest first, for one may hold another. */
export function secretForms(secrets: Iterable<string>): readonly string[] {
  const long = [...secrets].filter((secret) => secret.length >= SECRET_CHARS_MIN);
  const forms = new Set(long.flatMap(formsOf));
  return [...forms].toSorted((left, right) => right.length - left.length);
}
