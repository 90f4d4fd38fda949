// What may go into a log line. Prompts and secrets must not, whoever hands them over: members whose names speak of
// them are left out, values that look like secrets or are known ones are covered, long texts are cut, and of an error
// only what we wrote ourselves or what the system says is kept: V8's own messages quote the text they failed on.
import { GatewayError } from "../errors.ts";
import { COVERED, secretForms } from "./secret-forms.ts";

const TEXT_MAX = 300;
const DEPTH_MAX = 4;
const ITEMS_MAX = 20;
const FRAMES_MAX = 8;
const NAMES_MAX = 1000;

/** Members that hold what people wrote, or what opens doors; whole words of the name count. */
const PRIVATE_NAME =
  /(^|[_\-.])(authorization|cookie|password|secret|token|api_?key|key|credentials?|headers?|body|prompt|messages|content|input|output|text|arguments|query)$/i;

function isPrivate(name: string): boolean {
  return PRIVATE_NAME.test(name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_"));
}

/** What secrets look like: vendors' keys, bearer tokens, cloud key ids, JSON web tokens, credentials and keys in URLs. */
const SECRET_SHAPES: readonly RegExp[] = [
  /\b(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx|csk|r8|fw|tgp|sess)[-_][A-Za-z0-9_-]{8,}/g,
  /\bBearer\s+\S+/gi,
  /\bBasic\s+[A-Za-z0-9+/=]{8,}/g,
  /\bAIza[A-Za-z0-9_-]{10,}/g,
  /\bA[KS]IA[A-Z0-9]{12,}/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
  /(?<=\/\/)[^/\s@]+(?=@)/g,
  /(?<=[?&](?:key|api[-_]?key|token|access_token|secret|signature|sig|x-amz-[a-z-]+)=)[^&\s"]+/gi,
];

/** Covers secrets in texts and values. Made once; `secrets` are those known from the configuration. */
export class Redactor {
  private secrets: readonly string[] = [];
  private readonly names = new Map<string, string>();

  /** Values to cover wherever they occur, such as the providers' keys, in every form. */
  setSecrets(secrets: Iterable<string>): void {
    this.names.clear();
    this.secrets = secretForms(secrets);
  }

  /** The text with secrets covered, cut after 300 characters. */
  text(text: string): string {
    let safe = text;
    for (const secret of this.secrets) {
      if (safe.includes(secret)) safe = safe.replaceAll(secret, COVERED);
    }
    for (const shape of SECRET_SHAPES) safe = safe.replace(shape, COVERED);
    return safe.length <= TEXT_MAX ? safe : `${safe.slice(0, TEXT_MAX)}… (${safe.length} characters)`;
  }

  /** The same for names that come again and again, such as models': most calls are one lookup. */
  name(name: string): string {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    const safe = this.text(name);
    if (this.names.size >= NAMES_MAX) this.names.clear();
    this.names.set(name, safe);
    return safe;
  }

  /** A value fit for JSON, whatever it was: cycles, bigints and errors included. */
  value(value: unknown, name = "", depth = 0): unknown {
    if (isPrivate(name) && typeof value !== "number" && typeof value !== "boolean") return "[left out]";
    if (typeof value === "string") return this.text(value);
    if (value instanceof Error) return this.error(value, depth);
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null)
      return typeof value === "function" ? "[function]" : value;
    if (depth >= DEPTH_MAX) return "[deeper]";
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => this.value(item, "", depth + 1));
    return Object.fromEntries(
      Object.entries(value)
        .slice(0, ITEMS_MAX)
        .map(([member, item]) => [this.text(member), this.value(item, member, depth + 1)]),
    );
  }

  private error(error: Error, depth: number): object {
    const code: unknown = "code" in error ? error.code : undefined;
    const isTold = error instanceof GatewayError || typeof code === "string";
    const quotes = error instanceof SyntaxError;
    return {
      name: error.name,
      ...(typeof code === "string" ? { code: this.text(code) } : {}),
      ...(quotes ? {} : { message: this.text(error.message) }),
      ...(isTold ? {} : { stack: this.frames(error) }),
      ...(error.cause === undefined || depth >= DEPTH_MAX
        ? {}
        : { cause: this.value(error.cause, "", depth + 1) }),
    };
  }

  /** Where it happened, without the message that a stack begins with. */
  private frames(error: Error): readonly string[] {
    return (error.stack ?? "")
      .split("\n")
      .filter((line) => line.startsWith("    at "))
      .slice(0, FRAMES_MAX)
      .map((line) => this.text(line.trim()));
  }
}
