// `sluice keys`: the client keys of a fleet that runs, made, rotated and revoked over any of its instances.
import { z } from "zod";
import { systemClock } from "../../clock.ts";
import { GatewayError } from "../../errors.ts";
import type { Invocation } from "../args.ts";
import { findRemote, messageIn, reporting, type Remote, type RemoteShell } from "./remote.ts";
import { count, table } from "./table.ts";
import { usageText } from "./usage-text.ts";

const key = z.object({
  name: z.string(),
  source: z.string(),
  status: z.string(),
  prefix: z.string().nullable(),
  models: z.array(z.string()).nullable(),
  priority: z.string(),
  limits: z.array(z.object({ dimension: z.string(), amount: z.number(), per: z.string().nullable() })),
  expires_at: z.string().nullable(),
  tags: z.array(z.string()),
});
const list = z.object({ keys: z.array(key) });
const made = z.object({ key: z.string(), ends_open_access: z.boolean().default(false) });
const opened = z.object({ is_open: z.boolean() });

type Key = z.infer<typeof key>;

const USAGE =
  "Write `sluice keys`, `sluice keys create|rotate|revoke NAME`, `sluice keys usage`, or `sluice keys open`.";

/** Resolves with the exit code: 0 when it is done. */
export function runKeys(invocation: Invocation, shell: RemoteShell): Promise<number> {
  return reporting(shell, async () => {
    const [verb = "list", name, ...rest] = invocation.words;
    if (rest.length > 0) throw new GatewayError("invalid_request", USAGE);
    if (verb === "list" && name === undefined) return listKeys(invocation, shell);
    if (verb === "usage" && name === undefined) return showUsage(invocation, shell);
    if (verb === "open" && name === undefined) return open(invocation, shell);
    if (name === undefined || !isVerb(verb)) throw new GatewayError("invalid_request", USAGE);
    const remote = findRemote(invocation, shell);
    const text = await VERBS[verb](remote, name, invocation);
    shell.out(`${text}\n`);
    return 0;
  });
}

const VERBS = { create, revoke, rotate } as const;

function isVerb(word: string): word is keyof typeof VERBS {
  return Object.hasOwn(VERBS, word);
}

async function listKeys(invocation: Invocation, shell: RemoteShell): Promise<number> {
  const remote = findRemote(invocation, shell);
  const text = await answerOf(remote, "GET", "/admin/keys");
  shell.out(`${invocation.flag("json") ? text : describeKeys(list.parse(JSON.parse(text)).keys)}\n`);
  return 0;
}

async function showUsage(invocation: Invocation, shell: RemoteShell): Promise<number> {
  const remote = findRemote(invocation, shell);
  const query = new URLSearchParams();
  for (const [option, parameter] of [
    ["from", "from"],
    ["to", "to"],
    ["by", "group_by"],
  ] as const) {
    const value = invocation.option(option);
    if (value !== undefined) query.set(parameter, value);
  }
  const text = await answerOf(remote, "GET", `/admin/usage?${query.toString()}`);
  shell.out(`${invocation.flag("json") ? text : usageText(text)}\n`);
  return 0;
}

async function create(remote: Remote, name: string, invocation: Invocation): Promise<string> {
  const body = definition(name, invocation);
  const text = await answerOf(remote, "POST", "/admin/keys", JSON.stringify(body));
  const done = `The key \`${name}\` works on every instance.`;
  const isFirst = made.parse(JSON.parse(text)).ends_open_access;
  return secretText(text, isFirst ? `${done}\n${FIRST}` : done, invocation);
}

const FIRST = `It is the first: FROM NOW ON EVERY CALLER NEEDS A KEY, those of this machine too.
(To undo it, revoke the key and run \`sluice keys open\`.)`;

/** Undoes what the first key has done. */
async function open(invocation: Invocation, shell: RemoteShell): Promise<number> {
  const text = await answerOf(findRemote(invocation, shell), "DELETE", "/admin/keys");
  const { is_open } = opened.parse(JSON.parse(text));
  const done = is_open
    ? "No key is asked any more; callers of the instances' own machines are served."
    : "No key of run time is left. A key is still asked: some are configured, or callers of other machines can connect.";
  shell.out(`${invocation.flag("json") ? text : done}\n`);
  return 0;
}

async function rotate(remote: Remote, name: string, invocation: Invocation): Promise<string> {
  const overlap = invocation.option("overlap");
  const body = overlap === undefined ? {} : { overlap };
  const path = `/admin/keys/${encodeURIComponent(name)}/rotate`;
  const text = await answerOf(remote, "POST", path, JSON.stringify(body));
  const former =
    overlap === "0" ? "The former one is refused from now on." : "The former one stays good meanwhile.";
  return secretText(text, `The key \`${name}\` has a new secret. ${former}`, invocation);
}

async function revoke(remote: Remote, name: string, invocation: Invocation): Promise<string> {
  const text = await answerOf(remote, "DELETE", `/admin/keys/${encodeURIComponent(name)}`);
  return invocation.flag("json") ? text : `The key \`${name}\` is refused from now on, on every instance.`;
}

function secretText(text: string, done: string, invocation: Invocation): string {
  if (invocation.flag("json")) return text;
  return `${done}\n\nThis is its secret, and it is not shown again:\n\n${made.parse(JSON.parse(text)).key}`;
}

/** The key's definition as `sluice.yaml` would have it. */
function definition(name: string, invocation: Invocation): object {
  const option = (word: string): string | undefined => invocation.option(word);
  const expires = option("expires");
  return {
    name,
    models: listIn(option("models")),
    priority: option("priority"),
    weight: option("weight"),
    limits: listIn(option("limits"))?.map(limitIn),
    expires: expires === undefined ? undefined : expiryIn(expires),
    tags: listIn(option("tags")),
  };
}

function listIn(text: string | undefined): string[] | undefined {
  return text?.split(",").map((word) => word.trim());
}

/** `usd: 200/month` or `usd=200/month`. */
function limitIn(text: string): object {
  const match = /^\s*([a-z_]+)\s*[:=]\s*(\S+)\s*$/.exec(text);
  if (match === null) {
    throw new GatewayError("invalid_request", `\`${text}\` is not a limit such as usd=200/month.`);
  }
  return { [match[1] ?? ""]: match[2] };
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** A number of days or hours from now, or what the instance understands. */
function expiryIn(text: string): string {
  const match = /^(\d+)([dh])$/.exec(text);
  if (match === null) return text;
  const ms = systemClock.wallMs() + Number(match[1]) * (match[2] === "d" ? DAY_MS : HOUR_MS);
  return new Date(ms).toISOString();
}

/** The answer's text. Throws with the instance's message for an answer that is an error. */
async function answerOf(
  remote: Remote,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: string,
): Promise<string> {
  const { status, text } = await remote.ask(method, path, body);
  if (status < 300) return text;
  throw new GatewayError("invalid_request", messageIn(text, status));
}

function describeKeys(keys: readonly Key[]): string {
  if (keys.length === 0) return "There are no client keys.";
  const rows = keys.map((entry) => [
    entry.name,
    entry.source,
    entry.status,
    entry.prefix === null ? "–" : `${entry.prefix}…`,
    entry.priority,
    entry.models === null ? "all" : shortened(entry.models),
    entry.limits.map(limitText).join(", ") || "–",
    entry.expires_at?.slice(0, 16).replace("T", " ") ?? "–",
    entry.tags.join(", ") || "–",
  ]);
  return table(
    ["key", "from", "status", "secret", "priority", "models", "limits", "expires (UTC)", "tags"],
    rows,
  );
}

function shortened(models: readonly string[]): string {
  const [first = "none", ...others] = models;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function limitText({ dimension, amount, per }: Key["limits"][number]): string {
  return `${dimension}: ${count(amount)}${per === null ? "" : `/${per}`}`;
}
