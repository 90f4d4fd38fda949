// Access tokens from a token endpoint (OAuth 2.0, RFC 6749), by the grants that need no person:
//
//   client_credentials   the client shows its secret, or a signed assertion of who it is (RFC 7523 §2.2)
//   jwt-bearer           an assertion signed with a service account's private key (RFC 7523 §2.1)
//   refresh_token        what a person once consented to (RFC 6749 §6)
import { createPrivateKey, sign } from "node:crypto";
import type { Clock } from "../clock.ts";
import { COVERED, formsOf } from "../observe/secret-forms.ts";
import { ask, jsonObject, members, textOf, type Answer } from "./ask.ts";
import { readSecretFile } from "./key-file.ts";
import { type Issued, KeyFault, type KeySource, shownKey } from "./key.ts";

/** What an issuer that does not say how long its token lives is taken to mean: tokens of an hour are usual. */
const LIFE_MS = 300_000;
/** How long an assertion may be used, in seconds. */
const ASSERTION_S = 3600;

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT_CLIENT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export interface ClientCredentials {
  readonly tokenUrl: string;
  readonly clientId: string;
  /** How the client proves who it is: a secret, or the file of an assertion that somebody keeps signing. */
  readonly proof:
    | { readonly kind: "secret"; readonly secret: string }
    | { readonly kind: "assertion"; readonly file: string };
  /** Sent along: `scope`, `audience`, `resource`. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Tokens for a client that is registered with the issuer. */
export function clientCredentials(client: ClientCredentials): KeySource {
  const { tokenUrl, clientId, proof, parameters } = client;
  return {
    async issue(signal) {
      const shown =
        proof.kind === "secret"
          ? { client_secret: proof.secret }
          : {
              client_assertion_type: JWT_CLIENT,
              client_assertion: (await readSecretFile(proof.file)).trim(),
            };
      const form = { grant_type: "client_credentials", client_id: clientId, ...shown, ...parameters };
      return tokenFrom(tokenUrl, form, signal);
    },
  };
}

export interface ServiceAccount {
  /** JSON with the account's private key, or with a person's refresh token. */
  readonly file: string;
  readonly scope: string;
  /** For a file that names no `token_uri`. */
  readonly tokenUrl: string;
}

/** Tokens for the account whose key is in a file. The file is read each time, so that its key can be changed. */
export function serviceAccount({ file, scope, tokenUrl }: ServiceAccount, clock: Clock): KeySource {
  return {
    async issue(signal) {
      const account = members(await readSecretFile(file), file);
      const type = textOf(account, "type", file);
      if (type !== "service_account" && type !== "authorized_user") {
        throw new KeyFault(
          `${file} is of type ${type}; what can be used is a service account's key (type service_account) or a user's (authorized_user)`,
        );
      }
      const url = typeof account["token_uri"] === "string" ? account["token_uri"] : tokenUrl;
      const form =
        type === "service_account"
          ? { grant_type: JWT_BEARER, assertion: assertion(account, { scope, url, file }, clock.wallMs()) }
          : {
              grant_type: "refresh_token",
              client_id: textOf(account, "client_id", file),
              client_secret: textOf(account, "client_secret", file),
              refresh_token: textOf(account, "refresh_token", file),
            };
      return tokenFrom(url, form, signal);
    },
  };
}

export interface Metadata {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Tokens that the machine's own surroundings give to whoever asks from there. */
export function metadataToken({ url, headers }: Metadata): KeySource {
  return {
    async issue(signal) {
      return issued(await ask({ method: "GET", url, headers, body: "" }, signal), new URL(url).host);
    },
  };
}

async function tokenFrom(
  url: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Issued> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(form).toString();
  const secrets = Object.entries(form).flatMap(([name, value]) =>
    SECRET_FIELDS.has(name) && value !== "" ? [value] : [],
  );
  return issued(await ask({ method: "POST", url, headers, body }, signal), new URL(url).host, secrets);
}

/** A signed statement of who we are and what we want (RFC 7519, RS256). */
function assertion(
  account: Readonly<Record<string, unknown>>,
  { scope, url, file }: { readonly scope: string; readonly url: string; readonly file: string },
  wallMs: number,
): string {
  const issuedAt = Math.floor(wallMs / 1000);
  const issuer = textOf(account, "client_email", file);
  const keyId = account["private_key_id"];
  const head = { alg: "RS256", typ: "JWT", ...(typeof keyId === "string" ? { kid: keyId } : {}) };
  const claims = { iss: issuer, scope, aud: url, iat: issuedAt, exp: issuedAt + ASSERTION_S };
  const text = [head, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${signature(text, textOf(account, "private_key", file), file)}`;
}

function signature(text: string, privateKey: string, file: string): string {
  try {
    return sign("sha256", Buffer.from(text), createPrivateKey(privateKey)).toString("base64url");
  } catch {
    // The cause could hold parts of the key.
    throw new KeyFault(`the \`private_key\` in ${file} is not a private key in PEM form`);
  }
}

/** The token in an issuer's answer (RFC 6749 §5.1), or what its error says (§5.2). */
function issued({ status, text }: Answer, host: string, secrets: readonly string[] = []): Issued {
  if (status !== 200) throw new KeyFault(`${host} refused: ${status}${reason(text, secrets)}`);
  const answer = members(text, `the answer of ${host}`);
  const token = textOf(answer, "access_token", `the answer of ${host}`);
  return { key: shownKey(token, `the token of ${host}`), lifeMs: lifeMs(answer["expires_in"]) };
}

/** Some issuers write the number as a text. */
function lifeMs(value: unknown): number {
  if (typeof value !== "number" && typeof value !== "string") return LIFE_MS;
  const seconds = Number(value);
  return value === "" || Number.isNaN(seconds) ? LIFE_MS : seconds * 1000;
}

const REASON_CHARS_MAX = 200;

/** What of a form opens doors. */
const SECRET_FIELDS = new Set(["client_secret", "client_assertion", "assertion", "refresh_token"]);

/**
 * The error's code and description; both are written for people who set clients up. They may quote what was sent, as it
 * is or as it stood in the form.
 */
function reason(text: string, secrets: readonly string[]): string {
  const { error, error_description: description } = jsonObject(text) ?? {};
  const words = [error, description].filter((word) => typeof word === "string");
  if (words.length === 0) return "";
  const forms = secrets.flatMap(formsOf);
  const shown = forms.reduce((rest, form) => rest.replaceAll(form, COVERED), words.join(": "));
  return ` ${shown.split(/[\r\n]/, 1)[0]?.slice(0, REASON_CHARS_MAX)}`;
}
