// `sluice limits set LIMIT AMOUNT` and `sluice limits unset LIMIT`, and what `sluice status` shows of limits so set.
import { userInfo } from "node:os";
import { z } from "zod";
import { GatewayError } from "../../errors.ts";
import type { Invocation } from "../args.ts";
import { findRemote, messageIn, reporting, type Remote, type RemoteShell } from "./remote.ts";
import { amountOf, table } from "./table.ts";

const amounts = z.object({ amount: z.number(), burst: z.number() });
const answer = z.object({
  limits: z.array(
    z.object({
      limit: z.string(),
      configured: amounts.nullable(),
      set: amounts.extend({ by: z.string(), at: z.string() }),
    }),
  ),
});

export type SetLimit = z.infer<typeof answer>["limits"][number];

/** The exit code for a command line that is wrong. */
const MISUSED = 2;

const USAGE =
  "Write `sluice limits set LIMIT AMOUNT` or `sluice limits unset LIMIT`; `sluice limits` lists them.";

/** Resolves with the exit code: 0 when it is done, 2 when the command line is wrong. */
export function runLimitChange(invocation: Invocation, shell: RemoteShell): Promise<number> {
  return reporting(shell, async () => {
    const [verb = "", limit, amountText] = invocation.words;
    const isSetting = verb === "set";
    const isComplete = limit !== undefined && (amountText !== undefined) === isSetting;
    if (!isComplete || (!isSetting && verb !== "unset")) return misused(shell, USAGE);
    if (Number.isNaN(toNumber(amountText ?? "0")))
      return misused(shell, `\`${amountText}\` is not a number. ${USAGE}`);
    const burst = invocation.option("burst");
    const body = {
      amount: toNumber(amountText ?? "0"),
      by: `${userName()}@${shell.hostName}`,
      ...(burst === undefined ? {} : { burst: toNumber(burst) }),
    };
    const remote = findRemote(invocation, shell);
    const path = `/admin/limits/${encodeURIComponent(limit)}`;
    const { status, text } = isSetting
      ? await remote.ask("PUT", path, JSON.stringify(body))
      : await remote.ask("DELETE", path);
    if (status !== 200) throw new GatewayError("invalid_request", messageIn(text, status));
    const done = isSetting
      ? `\`${limit}\` is ${amountOf(limit, body.amount)} for the whole fleet, until it is unset.`
      : `\`${limit}\` is as configured again.`;
    shell.out(`${invocation.flag("json") ? text : done}\n`);
    return 0;
  });
}

function misused(shell: RemoteShell, fault: string): number {
  shell.err(`${fault}\n`);
  return MISUSED;
}

/** NaN: it is none. */
function toNumber(text: string): number {
  const value = Number(text.replaceAll("_", ""));
  return text.trim() !== "" && Number.isFinite(value) ? value : NaN;
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

/** The limits set at run time; none when the instance does not tell without its admin key. */
export async function readSetLimits(remote: Remote): Promise<readonly SetLimit[]> {
  const { status, text } = await remote.ask("GET", "/admin/limits");
  const parsed = status === 200 ? answer.safeParse(JSON.parse(text)) : null;
  return parsed?.success === true ? parsed.data.limits : [];
}

/** For people; empty when there is none. */
export function describeSetLimits(limits: readonly SetLimit[]): string {
  if (limits.length === 0) return "";
  const rows = limits.map(({ limit, configured, set }) => [
    limit,
    amountOf(limit, set.amount),
    configured === null ? "–" : amountOf(limit, configured.amount),
    set.by || "–",
    `${set.at.slice(0, 16).replace("T", " ")} UTC`,
  ]);
  return table(["set at run time", "amount", "configured", "by", "at"], rows);
}
