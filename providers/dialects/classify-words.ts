// Finds the words in an error: every provider has another envelope, and proxies before them others still. What is
// found is a message, all codes that say what kind of error it is, and the field at fault.
//
//   {"error":{"message","type","param","code"}}   {"type":"error","error":{"type","message","details":{"error_code"}}}
//   {"error":{"code":429,"status","details":[…]}}  {"message"} + x-amzn-errortype   {"detail":[{"loc","msg"}]}
//   {"error":"text","code":"text"}   {"errors":[{"message"}]}   {"base_resp":{"status_code","status_msg"}}   [{…}]   <html>

/** Names in lower case, as Node and undici give them. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface ErrorWords {
  /** Empty when the answer says nothing. */
  readonly message: string;
  /** Codes, types, status names, quota ids: whatever names the kind of error. */
  readonly codes: readonly string[];
  readonly param: string | null;
  /** A status inside the body; null when there is none. */
  readonly status: number | null;
  /** The body as JSON, if it was; the wait may be in it. */
  readonly json: unknown;
  /** Whether it is a page for people, as what stands before a provider sends it. */
  readonly isPage: boolean;
}

const PAGE = /^\s*</;

/** No error worth reading is longer. */
const BODY_BYTES_MAX = 64 * 1024;
const CODES_MAX = 16;

/** Finds the words of a body that is bytes, text or already parsed. Never throws. */
export function wordsOf(body: unknown, headers: AnswerHeaders): ErrorWords {
  const parsed = parse(body);
  const found = new Finder();
  const named = headerOf(headers, "x-amzn-errortype");
  // AWS appends the namespace: `ThrottlingException:http://internal.amazon.com/…`.
  if (named !== undefined) found.addCode(named.split(":", 1)[0]);
  if (typeof parsed === "string") found.addText(parsed);
  else found.visit(parsed, 0);
  const isText = typeof parsed === "string";
  return { ...found.words(), json: isText ? undefined : parsed, isPage: isText && PAGE.test(parsed) };
}

export function headerOf(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(body: unknown): unknown {
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body.subarray(0, BODY_BYTES_MAX)) : body;
  if (typeof text !== "string") return text;
  try {
    const parsed: unknown = JSON.parse(text.slice(0, BODY_BYTES_MAX));
    return parsed;
  } catch {
    // Not JSON, or cut off: the text itself has to do.
    return text;
  }
}

/** Members that hold an error inside an error. */
const INNER = [
  "error",
  "errors",
  "detail",
  "details",
  "metadata",
  "base_resp",
  "Error",
  "innererror",
  "response",
  "violations",
];
/** Members that say what went wrong to people, and to programs. */
const MESSAGES = [
  "message",
  "msg",
  "Message",
  "status_msg",
  "title",
  "error_description",
  "raw",
  "reason_phrase",
];
const CODES = [
  "code",
  "type",
  "status",
  "error_code",
  "error_type",
  "__type",
  "reason",
  "quotaId",
  "status_code",
  "name",
];
const DEPTH_MAX = 5;

class Finder {
  #message = "";
  readonly #codes: string[] = [];
  #param: string | null = null;
  #status: number | null = null;

  words(): Omit<ErrorWords, "json" | "isPage"> {
    return { message: this.#message, codes: this.#codes, param: this.#param, status: this.#status };
  }

  addCode(code: unknown): void {
    if (typeof code === "number") {
      if (Number.isInteger(code) && code >= 400 && code <= 599) this.#status ??= code;
      this.addCode(String(code));
    } else if (
      typeof code === "string" &&
      code !== "" &&
      code !== "error" &&
      this.#codes.length < CODES_MAX
    ) {
      this.#codes.push(code.slice(0, 100));
    }
  }

  /** The first message wins, except that a proxy's own "the provider failed" gives way to what the provider said. */
  addMessage(message: unknown): void {
    if (typeof message !== "string" || message === "") return;
    if (this.#message === "" || /^provider returned error$/i.test(this.#message)) this.#message = message;
  }

  addText(text: string): void {
    // A page says in its title what went wrong; the rest of it is decoration.
    if (PAGE.test(text)) this.addMessage(/<title[^<>]*>([^<]{1,200})/i.exec(text.slice(0, 4000))?.[1]);
    else this.addMessage(text);
  }

  visit(value: unknown, depth: number): void {
    if (depth > DEPTH_MAX) return;
    if (typeof value === "string") return this.addMessage(value);
    if (Array.isArray(value)) {
      for (const item of value.slice(0, 4)) this.visit(item, depth + 1);
      return;
    }
    if (!isRecord(value)) return;
    for (const name of CODES) this.addCode(value[name]);
    for (const name of MESSAGES) this.#visitMessage(value[name], depth);
    this.#addParam(value);
    for (const name of INNER) if (value[name] !== undefined) this.visit(value[name], depth + 1);
  }

  /** A message may be an object, or another provider's error as JSON text. */
  #visitMessage(message: unknown, depth: number): void {
    if (typeof message === "string" && message.startsWith("{")) this.visit(parse(message), depth + 1);
    else if (typeof message === "object") this.visit(message, depth + 1);
    else this.addMessage(message);
  }

  #addParam(value: Readonly<Record<string, unknown>>): void {
    const { param, loc } = value;
    if (typeof param === "string") this.#param ??= param;
    else if (Array.isArray(loc)) this.#param ??= loc.filter((part) => part !== "body").join(".");
  }
}
