// Keys that requests are signed with: written down, in the environment, or short-lived ones from where a workload finds them. What
// is written in `credentials` counts first, then the environment's keys, its role, its container.
import { resolve as resolvePath } from "node:path";
import type { AwsCredentials, KeySourceConfig } from "./access-config.ts";
import { firstSet } from "./interpolate.ts";
import type { AccessInput } from "./resolve-access.ts";

type From = NonNullable<NonNullable<AccessInput["raw"]["credentials"]>["from"]>;
type Setting = "keys_url" | "keys_path" | "keys_token" | "keys_token_file" | "role" | "role_token_file";

/** Keys that do not change; null: there are none. */
export function writtenKeys({
  raw,
  entry,
  path,
  context: { env, report },
}: AccessInput): AwsCredentials | null {
  const { access_key_id: id, secret_access_key: secret, session_token: token, from } = raw.credentials ?? {};
  if ((id === undefined) !== (secret === undefined)) {
    report.error([...path, "credentials"], "`access_key_id` and `secret_access_key` go together");
  }
  if (id !== undefined && from !== undefined) {
    report.error([...path, "credentials", "from"], "set either keys or where they come from");
  }
  if (id !== undefined && secret !== undefined) {
    return { accessKeyId: id, secretAccessKey: secret, sessionToken: token ?? null };
  }
  const accessKeyId = firstSet(entry?.auth.access_key_id, env);
  const secretAccessKey = firstSet(entry?.auth.secret_access_key, env);
  if (from !== undefined || accessKeyId === undefined || secretAccessKey === undefined) return null;
  return { accessKeyId, secretAccessKey, sessionToken: firstSet(entry?.auth.session_token, env) ?? null };
}

/** Where short-lived keys come from; null: from nowhere. */
export function signingSource(input: AccessInput): KeySourceConfig | null {
  const from = input.raw.credentials?.from ?? environmentsChoice(input);
  switch (from) {
    case null:
      return null;
    case "container":
      return containerSource(input);
    case "role":
      return roleSource(input);
    case "instance":
      return instanceSource(input);
  }
}

function environmentsChoice(input: AccessInput): From | null {
  if (setting("role", input) !== undefined && setting("role_token_file", input) !== undefined) return "role";
  const isBeside = setting("keys_url", input) !== undefined || setting("keys_path", input) !== undefined;
  return isBeside ? "container" : null;
}

function containerSource(input: AccessInput): KeySourceConfig {
  const { url: given, token, token_file: file } = input.raw.credentials ?? {};
  const place = setting("keys_path", input);
  const host = input.entry?.auth.signing?.container_host;
  const beside = place === undefined || host === undefined ? undefined : `${host}${place}`;
  const url = given ?? setting("keys_url", input) ?? beside ?? missing("url", input);
  if (!URL.canParse(url)) input.context.report.error([...input.path, "credentials", "url"], "expected a URL");
  return { kind: "container", url, token: askingToken(input, { token, file }) };
}

type AskingToken = Extract<KeySourceConfig, { kind: "container" }>["token"];

interface GivenToken {
  readonly token: string | undefined;
  readonly file: string | undefined;
}

/** A file counts before a token that was handed over once: it is kept fresh. */
function askingToken(input: AccessInput, { token, file }: GivenToken): AskingToken {
  if (token !== undefined) return { kind: "secret", secret: token };
  const path = file ?? setting("keys_token_file", input);
  if (path !== undefined) return { kind: "file", file: absolute(path, input) };
  const secret = setting("keys_token", input);
  return secret === undefined ? null : { kind: "secret", secret };
}

/** What the session is called in the vendor's logs. */
const SESSION = "sluice";

function roleSource(input: AccessInput): KeySourceConfig {
  const { role, token_file: file } = input.raw.credentials ?? {};
  const { role_url: url, role_parameters: parameters = {} } = input.entry?.auth.signing ?? {};
  if (url === undefined) unknownHere(input, "this type of provider exchanges no tokens for keys");
  return {
    kind: "role",
    url: url === undefined ? "" : input.fill(url, "auth"),
    parameters,
    role: role ?? setting("role", input) ?? missing("role", input),
    session: SESSION,
    tokenFile: absolute(file ?? setting("role_token_file", input) ?? missing("token_file", input), input),
  };
}

function instanceSource(input: AccessInput): KeySourceConfig {
  const { entry } = input;
  const { instance_url: url, session_url: sessionUrl, session_header: header } = entry?.auth.signing ?? {};
  if (url === undefined || sessionUrl === undefined || header === undefined) {
    unknownHere(input, "this type of provider knows no metadata of machines");
  }
  const headers = entry?.auth.signing?.session_headers ?? {};
  return {
    kind: "instance",
    url: `${url ?? ""}/`,
    session: { url: sessionUrl ?? "", headers, header: header ?? "" },
  };
}

function setting(name: Setting, { entry, context }: AccessInput): string | undefined {
  return firstSet(entry?.auth.signing?.from_env?.[name], context.env);
}

function absolute(file: string, { context }: AccessInput): string {
  return resolvePath(context.folder, file);
}

function unknownHere({ path, context }: AccessInput, message: string): void {
  context.report.error([...path, "credentials", "from"], message);
}

/** Reports it, and stands in for it. */
function missing(name: "url" | "role" | "token_file", { path, context }: AccessInput): string {
  context.report.error([...path, "credentials"], `\`${name}\` is missing: set it here`);
  return "";
}
