// What an option's value has to look like, by the name that the usage text gives it, so that a slip is told in the words
// of the command line before anything is started.

interface ValueKind {
  /** Ends the sentence "--option needs …". */
  readonly what: string;
  readonly isValid: (text: string) => boolean;
}

const NUMBER: ValueKind = {
  what: "a number of at least 0",
  isValid: (text) => text.trim() !== "" && Number(text.replaceAll("_", "")) >= 0,
};

const KINDS: Readonly<Record<string, ValueKind>> = {
  N: NUMBER,
  MS: NUMBER,
  "HOST:PORT": { what: "an address and a port, such as 127.0.0.1:8787", isValid: isAddress },
  URL: { what: "an address such as http://127.0.0.1:8787", isValid: isUrl },
};

/** What is wrong with the value of an option whose usage text shows `value`; undefined: nothing. */
export function valueFault(rawName: string, value: string, text: string): string | undefined {
  const kind = Object.hasOwn(KINDS, value) ? KINDS[value] : undefined;
  return kind === undefined || kind.isValid(text)
    ? undefined
    : `${rawName} needs ${kind.what}, not "${text}".`;
}

function isAddress(text: string): boolean {
  const port = /^(?:\[[^\]]+\]|[^:[\]\s]*):(\d{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}

function isUrl(text: string): boolean {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return url?.protocol === "http:" || url?.protocol === "https:";
}
