// Names with `*` for any characters, slashes too: `main/*` is every limit of the provider `main`. Part by part from the left, each
// where it first occurs, so that a pattern with many of them is no trap.

/** Whether a name fits a pattern. */
export function isMatch(pattern: string, name: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.pop();
  if (tail === undefined) return name === head;
  if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length) return false;
  let from = head.length;
  const end = name.length - tail.length;
  for (const part of rest) {
    const at = name.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** Which names a question asks for: `?bucket=main/*`, several times if need be; all when it has none. */
export function askedBuckets(query: URLSearchParams): (name: string) => boolean {
  const patterns = query.getAll("bucket");
  if (patterns.length === 0) return () => true;
  const names = new Set(patterns);
  const globs = patterns.filter((pattern) => pattern.includes("*"));
  return (name) => names.has(name) || globs.some((glob) => isMatch(glob, name));
}
