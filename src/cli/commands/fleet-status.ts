// The fleet in words, for `sluice status` and `sluice top`: who is there, and a bar of each replica's share per bucket.
import { z } from "zod";
import { GatewayError } from "../../errors.ts";
import type { Remote } from "./remote.ts";
import { amountOf, count, table, unitsPerAmount } from "./table.ts";

const fleet = z.object({
  name: z.string(),
  state: z.string(),
  peers: z.array(z.string()).default([]),
  peers_failing: z.array(z.object({ peer: z.string(), reason: z.string() })).default([]),
  members: z.array(
    z.object({
      replica: z.string(),
      name: z.string(),
      is_self: z.boolean(),
      is_founder: z.boolean(),
      state: z.string(),
      version: z.number(),
      silent_ms: z.number(),
    }),
  ),
  buckets: z.array(
    z.object({
      bucket: z.string(),
      capacity: z.number(),
      parts: z.array(
        z.object({
          replica: z.string(),
          share: z.number(),
          level: z.number(),
          demand: z.number(),
          waiting: z.number(),
        }),
      ),
    }),
  ),
  buckets_not_configured: z.number().default(0),
  limits_differ: z
    .array(
      z.object({
        limit: z.string().nullable(),
        here: z.string().nullable(),
        there: z.string().nullable(),
        at: z.array(z.string()),
      }),
    )
    .default([]),
});

export type FleetStatus = z.infer<typeof fleet>;

const BAR_WIDTH = 20;

/** The most that one answer tells of, and the most names that a question has room for. */
const BUCKETS_MAX = 10_000;
const NAMES_MAX = 200;

/**
 * What the instance sees of its fleet, and of these buckets (null: of all); `null` when it wants an admin key that it was not
 * given.
 */
export async function readFleet(
  remote: Remote,
  buckets: readonly string[] | null,
): Promise<FleetStatus | null> {
  const answer = await remote.ask("GET", `/fleet?${questionFor(buckets)}`);
  if (answer.status === 401 || answer.status === 403) return null;
  const parsed = answer.status === 200 ? fleet.safeParse(JSON.parse(answer.text)) : null;
  if (parsed?.success === true) return parsed.data;
  throw new GatewayError("provider_bad_response", `${remote.url} is no Sluice of this version.`);
}

function questionFor(buckets: readonly string[] | null): string {
  const names = buckets?.slice(0, NAMES_MAX) ?? [];
  const question = new URLSearchParams({ limit: String(buckets === null ? BUCKETS_MAX : names.length) });
  for (const name of names) question.append("bucket", name);
  return question.toString();
}

/** Members and shares; empty for an instance that is alone. `null`: it tells them to operators only. */
export function describeFleet(view: FleetStatus | null): string {
  if (view === null)
    return "The instance tells members, shares and limits that were set at run time with its admin key only: set SLUICE_ADMIN_KEY to it.";
  const parts = isAlone(view) ? [] : [describeMembers(view)];
  if (view.peers_failing.length > 0) parts.push(describeFailing(view.peers_failing));
  if (view.limits_differ.length > 0) parts.push(describeDifferences(view.limits_differ));
  if (view.buckets_not_configured > 0) parts.push(describeForgotten(view.buckets_not_configured));
  return parts.join("\n\n");
}

/** Also what is no sibling at all, such as a page of HTML: it is no member, and would be seen nowhere. */
function describeFailing(failing: FleetStatus["peers_failing"]): string {
  const reasons = failing.slice(0, NAMED_MAX).map(({ reason }) => `  ${reason}`);
  const more = failing.length - reasons.length;
  return [
    "Peers that can't be exchanged with now:",
    ...reasons,
    ...(more > 0 ? [`  … and ${count(more)} more.`] : []),
  ].join("\n");
}

function isAlone({ members, state }: FleetStatus): boolean {
  return members.length < 2 && state === "serving";
}

function describeForgotten(buckets: number): string {
  const kept = buckets === 1 ? "1 bucket is kept" : `${count(buckets)} buckets are kept`;
  return `${kept} whose limit is not configured here (any more).`;
}

/** What one screen has room for. */
const DIFFERENCES_MAX = 20;
const NAMED_MAX = 10;

function describeDifferences(differences: FleetStatus["limits_differ"]): string {
  const rows = differences
    .slice(0, DIFFERENCES_MAX)
    .map(({ limit, here, there, at }) => [
      limit ?? "(one of many)",
      here ?? "–",
      there ?? "–",
      at.slice(0, DIFFERENCES_MAX).join(", "),
    ]);
  const more = differences.length - rows.length;
  return [
    "Limits differ, and each instance keeps its share of its own: give all the same.",
    table(["limit", "here", "there", "at"], rows),
    ...(more > 0 ? [`… and ${count(more)} more.`] : []),
  ].join("\n");
}

function describeMembers(view: FleetStatus): string {
  const names = namesOf(view.members);
  const nameOf = (replica: string): string => names.get(replica) ?? replica;
  const members = view.members
    .filter(isPresent)
    .toSorted((left, right) => byName(nameOf(left.replica), nameOf(right.replica)))
    .map(({ replica, state, version, silent_ms, is_self, is_founder }) => [
      nameOf(replica),
      `${state}${is_founder ? ", founder" : ""}${is_self ? ", this one" : ""}`,
      count(version),
      is_self ? "–" : silent_ms < 0 ? "never" : `${timeOf(silent_ms)} ago`,
    ]);
  const shares = view.buckets.flatMap(({ bucket, parts }) =>
    parts
      .toSorted((left, right) => byName(nameOf(left.replica), nameOf(right.replica)))
      .map(({ replica, share, level, demand, waiting }, index) => [
        index === 0 ? bucket : "",
        nameOf(replica),
        shareBar(share),
        `${count(share * 100)} %`,
        inAmounts(bucket, level),
        inAmounts(bucket, demand),
        waiting > 0 ? inAmounts(bucket, waiting) : "–",
      ]),
  );
  const columns = ["limit", "replica", "share", "", "level", "demand/s", "waits for"];
  return [
    `Fleet: ${view.name || "this instance"} is ${describeState(view)}.`,
    [
      table(["member", "state", "version", "last heard"], members),
      ...describeSilent(view.members),
      ...describeGone(view.members),
    ].join("\n"),
    ...(shares.length === 0 ? [] : [table(columns, shares)]),
  ].join("\n\n");
}

/** What an instance that admits nothing yet waits for. */
function describeState({ state, peers }: FleetStatus): string {
  if (state !== "seeking" && state !== "recovering") return state;
  const shown = peers.slice(0, NAMED_MAX).join(", ");
  const whom = peers.length === 0 ? "no address of one is known" : `it asks ${shown}`;
  return `${state}: it serves nobody before its siblings have answered (${whom}; the log says what is in the way)`;
}

/** In their order, `gw-2` before `gw-10`: the same at every instance and in every frame. */
function byName(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}

/** `250 ms`, `40 s`, `12 min`, `30 h`: as exactly as one wants to know it. */
function timeOf(ms: number): string {
  if (ms < 10_000) return `${count(ms)} ms`;
  if (ms < 120_000) return `${count(Math.round(ms / 1000))} s`;
  return ms < 7_200_000 ? `${count(Math.round(ms / 60_000))} min` : `${count(Math.round(ms / 3_600_000))} h`;
}

type Members = FleetStatus["members"];

/** One line on those who are silent: what becomes of their shares is up to people. */
function describeSilent(members: Members): readonly string[] {
  const silent = members.filter(({ state }) => state === "silent");
  const [first] = silent;
  if (first === undefined) return [];
  const names = namesOf(members);
  const shown = silent.slice(0, NAMED_MAX).map(({ replica }) => names.get(replica));
  const isOne = silent.length === 1;
  // As the command takes it: a name that others have too does not tell which one.
  const isNamed = first.name !== "" && names.get(first.replica) === first.name;
  const word = isOne ? (isNamed ? first.name : first.replica.slice(0, 8)) : "NAME";
  return [
    `${shown.join(", ")} ${isOne ? "is" : "are"} silent, and nobody else uses that share meanwhile: start ${isOne ? "it" : "them"} again, or \`sluice evict ${word}\` if gone for good.`,
  ];
}

export function isPresent({ state }: Members[number]): boolean {
  return state !== "gone";
}

/** What people call them; with the id where a name is used again, as after each clean restart. */
function namesOf(members: Members): ReadonlyMap<string, string> {
  const present = members.filter(isPresent);
  return new Map(
    members.map(({ replica, name }) => {
      const id = replica.slice(0, 8);
      const isShared = present.filter((other) => other.name === name).length > 1;
      return [replica, name === "" ? id : isShared ? `${name} (${id})` : name];
    }),
  );
}

/** Those whose share others have: one line, however often instances were restarted while one that is silent holds the rest up. */
function describeGone(members: Members): readonly string[] {
  const gone = members.filter((member) => !isPresent(member));
  if (gone.length === 0) return [];
  const isHeldUp = members.some(({ state }) => state === "silent");
  return [`${count(gone.length)} gone${isHeldUp ? "; kept in mind while somebody is silent" : ""}.`];
}

function inAmounts(bucket: string, units: number): string {
  return amountOf(bucket, units / unitsPerAmount(bucket));
}

function shareBar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}
