// Short-lived keys that requests are signed with, from where a workload finds them: an endpoint beside its container, an exchange of
// a token that says who it is for the keys of a role, or the metadata of the machine that it runs on. What these services are
// called and where they are is configuration; what they answer is alike:
//
//   { "AccessKeyId": …, "SecretAccessKey": …, "Token" or "SessionToken": …, "Expiration": an instant }
import type { Clock } from "../clock.ts";
import { ask, members, textOf, type Answer } from "./ask.ts";
import { readSecretFile } from "./key-file.ts";
import { type Issued, KeyFault, type KeySource } from "./key.ts";

/** How a request for keys is itself let in; null: by nothing. */
export type AskingToken =
  | { readonly kind: "secret"; readonly secret: string }
  | { readonly kind: "file"; readonly file: string }
  | null;

export interface ContainerKeys {
  readonly url: string;
  /** Sent in `authorization` as it is. */
  readonly token: AskingToken;
}

/** Keys from an endpoint beside the container. */
export function containerKeys({ url, token }: ContainerKeys, clock: Clock): KeySource {
  return {
    async issue(signal) {
      const shown = await shownToken(token);
      const headers = shown === null ? {} : { authorization: shown };
      return issued(await ask({ method: "GET", url, headers, body: "" }, signal), url, clock);
    },
  };
}

async function shownToken(token: AskingToken): Promise<string | null> {
  if (token === null) return null;
  return token.kind === "secret" ? token.secret : (await readSecretFile(token.file)).trim();
}

export interface RoleKeys {
  readonly url: string;
  /** The action and its version, as the service wants them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly role: string;
  /** What the session is called in the service's logs. */
  readonly session: string;
  /** The file with the token that says who we are; somebody keeps it fresh. */
  readonly tokenFile: string;
}

/** Keys of a role, for a token that says who this workload is. */
export function roleKeys({ url, parameters, role, session, tokenFile }: RoleKeys, clock: Clock): KeySource {
  return {
    async issue(signal) {
      const form = {
        ...parameters,
        RoleArn: role,
        RoleSessionName: session,
        WebIdentityToken: (await readSecretFile(tokenFile)).trim(),
      };
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const body = new URLSearchParams(form).toString();
      return issued(await ask({ method: "POST", url, headers, body }, signal), url, clock);
    },
  };
}

export interface InstanceKeys {
  /** Lists the machine's role, and below it has the role's keys. */
  readonly url: string;
  /** A session is begun there first; its answer goes into the header named. */
  readonly session: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly header: string;
  };
}

/** Keys of the role that the machine has. */
export function instanceKeys({ url, session }: InstanceKeys, clock: Clock): KeySource {
  return {
    async issue(signal) {
      const begun = await ask(
        { method: "PUT", url: session.url, headers: session.headers, body: "" },
        signal,
      );
      const headers = { [session.header]: oneLine(begun, session.url) };
      const role = oneLine(await ask({ method: "GET", url, headers, body: "" }, signal), url);
      const place = `${url}${encodeURIComponent(role)}`;
      return issued(await ask({ method: "GET", url: place, headers, body: "" }, signal), place, clock);
    },
  };
}

/** The first line of a plain answer. */
function oneLine({ status, text }: Answer, url: string): string {
  const [line = ""] = text.trim().split(/\r?\n/, 1);
  if (status === 200 && /^[\x21-\x7e]+$/.test(line)) return line;
  throw new KeyFault(`${new URL(url).host} gives this machine no keys (${status}); has it a role?`);
}

function issued({ status, text }: Answer, url: string, clock: Clock): Issued {
  const { host } = new URL(url);
  if (status !== 200) throw new KeyFault(`${host} refused: ${status}${reason(text)}`);
  const origin = `the answer of ${host}`;
  const keys = keysIn(members(text, origin), 0);
  if (keys === null) throw new KeyFault(`${origin} has no \`AccessKeyId\``);
  const { Token, SessionToken } = keys;
  const sessionToken = typeof SessionToken === "string" ? SessionToken : Token;
  return {
    key: {
      kind: "signing",
      accessKeyId: textOf(keys, "AccessKeyId", origin),
      secretAccessKey: textOf(keys, "SecretAccessKey", origin),
      sessionToken: typeof sessionToken === "string" ? sessionToken : null,
    },
    lifeMs: endMs(keys["Expiration"], origin) - clock.wallMs(),
  };
}

/** The object that holds the keys: the answer itself, or somewhere in its envelope. */
function keysIn(
  value: Readonly<Record<string, unknown>>,
  depth: number,
): Readonly<Record<string, unknown>> | null {
  if (Object.hasOwn(value, "AccessKeyId")) return value;
  if (depth >= 4) return null;
  for (const inner of Object.values(value)) {
    if (typeof inner !== "object" || inner === null) continue;
    const found = keysIn({ ...inner }, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

/** Since the Unix epoch: written as an instant, or in seconds. */
function endMs(value: unknown, origin: string): number {
  const ms =
    typeof value === "number" ? value * 1000 : typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw new KeyFault(`${origin} does not say when its keys end`);
  return ms;
}

/** The code in an error: `{ "Error": { "Code": … } }` or `{ "code": … }`; the message may quote what was sent. */
function reason(text: string): string {
  const code = /"[Cc]ode"\s*:\s*"([A-Za-z0-9._-]{1,80})"/.exec(text)?.[1];
  return code === undefined ? "" : ` ${code}`;
}
