// JSON text from outside, whose being JSON is the question. What it holds is for the caller to find out.

/** Parses a text that may be cut short or not be JSON at all; undefined then. The parser's own words would quote the text, which may be a secret. */
export function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
