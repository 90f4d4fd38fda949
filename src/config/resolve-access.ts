// How a provider lets requests in: what is shown or signed with, and where that comes from. A key that is given wins over what the
// environment or the catalog would say; a kind of token that is asked for by name wins over the environment's key.
import { resolve as resolvePath } from "node:path";
import type { KeySourceConfig, ProviderAuth } from "./access-config.ts";
import type { Provider } from "./config.ts";
import { firstSet, type Env } from "./interpolate.ts";
import type { Path } from "./problems.ts";
import { checkCarried, type Report } from "./report.ts";
import { signingSource, writtenKeys } from "./resolve-signing.ts";
import type { CatalogEntry, RawProvider } from "./schema.ts";

type Access = Pick<Provider, "apiKey" | "auth" | "keySource">;

export interface AccessInput {
  readonly raw: RawProvider;
  readonly entry: CatalogEntry | undefined;
  /** The user's `auth` over the catalog's. */
  readonly auth: NonNullable<RawProvider["auth"]>;
  readonly path: Path;
  /** Fills placeholders; `at` says which key of the provider has them. */
  readonly fill: (text: string, at: string) => string;
  readonly context: { readonly env: Env; readonly folder: string; readonly report: Report };
}

type TokenKind = "service_account" | "client_credentials" | "metadata";

/** The provider's access. What is wrong with it is in the report. */
export function resolveAccess(input: AccessInput): Access {
  const { raw, auth, path, context } = input;
  const kind = auth.kind ?? "header";
  const isKeyGiven =
    raw.api_key !== undefined || raw.api_key_file !== undefined || raw.api_keys !== undefined;
  switch (kind) {
    case "none":
      return { apiKey: null, auth: { kind }, keySource: null };
    case "sigv4":
      return signed(input, isKeyGiven);
    case "header":
      return keyed(input, shownIn(auth.header, auth.prefix));
    case "service_account":
    case "client_credentials":
    case "metadata": {
      const shown = shownIn(raw.auth?.header, raw.auth?.prefix);
      const isAsked = raw.auth?.kind !== undefined;
      if (isAsked && isKeyGiven) {
        context.report.error([...path, "auth", "kind"], "set either an API key or this kind of `auth`");
      }
      if (isKeyGiven || (!isAsked && environmentKey(input) !== undefined)) return keyed(input, shown);
      return { apiKey: null, auth: shown, keySource: tokenSource(kind, input) };
    }
  }
}

/** A key that is shown wins over keys to sign with, and those that don't change over short-lived ones. */
function signed(input: AccessInput, isKeyGiven: boolean): Access {
  const auth = { kind: "sigv4", service: input.auth.service ?? "", credentials: writtenKeys(input) } as const;
  if (isKeyGiven || auth.credentials !== null) return keyed(input, auth);
  if (environmentKey(input) !== undefined && input.raw.credentials === undefined) return keyed(input, auth);
  const keySource = signingSource(input);
  return keySource === null ? keyed(input, auth) : { apiKey: null, auth, keySource };
}

function shownIn(header = "authorization", prefix?: string): ProviderAuth {
  const name = header.toLowerCase();
  return {
    kind: "header",
    header: name,
    prefix: prefix ?? (name === "authorization" ? "Bearer " : ""),
  };
}

/** With the API key, from wherever it is given. */
function keyed(input: AccessInput, auth: ProviderAuth): Access {
  const { raw, entry, path, context } = input;
  const { report, folder } = context;
  if (raw.api_keys !== undefined) return { apiKey: null, auth, keySource: null };
  if (raw.api_key_file !== undefined) {
    if (raw.api_key !== undefined) {
      report.error([...path, "api_key_file"], "set either `api_key` or `api_key_file`");
    }
    return { apiKey: null, auth, keySource: { kind: "file", file: resolvePath(folder, raw.api_key_file) } };
  }
  const apiKey = raw.api_key ?? environmentKey(input) ?? null;
  if (apiKey !== null) checkCarried(apiKey, [...path, "api_key"], report);
  const isSigned = auth.kind === "sigv4" && auth.credentials !== null;
  const isOptional = entry === undefined || entry.builtin === true || entry.auth.optional === true;
  if (apiKey === null && !isSigned && !isOptional) {
    const variables = entry.auth.env ?? [];
    const hint = variables.length === 0 ? "" : `, or the environment variable ${variables.join(" or ")}`;
    report.error([...path, "api_key"], `the API key is missing: set it here${hint}`);
  }
  return { apiKey, auth, keySource: null };
}

function environmentKey({ entry, context }: AccessInput): string | undefined {
  return firstSet(entry?.auth.env, context.env);
}

function tokenSource(kind: TokenKind, input: AccessInput): KeySourceConfig {
  const { auth, fill } = input;
  const tokenUrl = fill(auth.token_url ?? "", "auth");
  switch (kind) {
    case "service_account": {
      const file = absolute(setting("file", input) ?? missing("file", input), input);
      return { kind, file, scope: auth.scope ?? "", tokenUrl };
    }
    case "metadata":
      return {
        kind,
        url: fill(auth.metadata_url ?? missing("metadata_url", input), "auth"),
        headers: auth.metadata_headers ?? {},
      };
    case "client_credentials": {
      if (auth.token_url === undefined) missing("token_url", input);
      const clientId = setting("client_id", input) ?? missing("client_id", input);
      const parameters = { ...(auth.scope === undefined ? {} : { scope: auth.scope }), ...auth.parameters };
      return { kind, tokenUrl, clientId, proof: proofOf(input), parameters };
    }
  }
}

type Proof = Extract<KeySourceConfig, { kind: "client_credentials" }>["proof"];

/** What is written in `auth` counts before what the environment has, and a secret before an assertion. */
function proofOf(input: AccessInput): Proof {
  const { client_secret: secret, client_assertion_file: file } = input.auth;
  const shownSecret = secret ?? (file === undefined ? setting("client_secret", input) : undefined);
  if (shownSecret !== undefined) return { kind: "secret", secret: shownSecret };
  const assertionFile = setting("client_assertion_file", input) ?? missing("client_secret", input);
  return { kind: "assertion", file: absolute(assertionFile, input) };
}

type Setting = keyof NonNullable<CatalogEntry["auth"]["from_env"]>;

/** As `auth` has it, else from the environment. */
function setting(name: Setting, { auth, entry, context }: AccessInput): string | undefined {
  return auth[name] ?? firstSet(entry?.auth.from_env?.[name], context.env);
}

function absolute(file: string, { context }: AccessInput): string {
  return resolvePath(context.folder, file);
}

/** Reports it, and stands in for it. */
function missing(name: Setting | "token_url" | "metadata_url", input: AccessInput): string {
  const { entry, raw, path, context } = input;
  const isEnv = name !== "token_url" && name !== "metadata_url";
  const [variable] = [...((isEnv ? entry?.auth.from_env?.[name] : undefined) ?? [])];
  const hints = [
    variable === undefined ? "" : `, or the environment variable ${variable}`,
    raw.auth?.kind === undefined ? "; or give an `api_key`, or another `auth: { kind: … }`" : "",
  ];
  context.report.error([...path, "auth"], `\`${name}\` is missing: set it here${hints.join("")}`);
  return "";
}
