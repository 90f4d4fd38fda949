// The fleet as one replica sees it, as plain values for `GET /fleet`, `sluice top` and the metrics.
import { WHOLE } from "../bucket/parts.ts";
import type { Sample } from "../observe/events.ts";
import { counter, gauge } from "../observe/sample.ts";
import { untoldLevel } from "./gauges.ts";
import type { Holding } from "./holding.ts";
import type { Bucket } from "./quota.ts";
import type { Replica } from "./replica.ts";
import { type Traffic, TRANSPORT_FAULTS } from "./transport.ts";

/** One replica's part of a bucket. */
export interface PartView {
  readonly replica: string;
  /** From 0 to 1; a replica that was declared dead by mistake may be below 0 for a moment. */
  readonly share: number;
  /** Units it could admit when it last said so; of a bucket that nobody has used the founder need not say anything. */
  readonly level: number;
  /** Units per second. */
  readonly demand: number;
  /** What its oldest waiting request needs, in units; 0: nobody waits. */
  readonly waiting: number;
  /**
   * How long ago it said this, in milliseconds; 0 for the replica itself. Of one that has said nothing of the bucket: how
   * long ago it was last heard, -1: never.
   */
  readonly age_ms: number;
}

export interface BucketView {
  readonly bucket: string;
  readonly capacity: number;
  readonly parts: readonly PartView[];
}

export interface MemberView {
  readonly replica: string;
  readonly name: string;
  readonly is_self: boolean;
  readonly is_founder: boolean;
  /** `gone`: its share was handed over or taken over. */
  readonly state: "live" | "silent" | "gone";
  readonly boot: number;
  readonly version: number;
  /** Milliseconds since something new was heard of it; 0 for the replica itself. */
  readonly silent_ms: number;
}

/** A limit that is not the same here and at some siblings, in words; null: they have none of this name. */
export interface LimitDifference {
  /** null: one of those that are too many to be told by name. */
  readonly limit: string | null;
  readonly here: string | null;
  readonly there: string | null;
  /** The names of these siblings. */
  readonly at: readonly string[];
}

export interface FleetView {
  readonly replica: string;
  readonly name: string;
  /** `seeking` a fleet or `recovering` what siblings remember: nothing is admitted yet. `superseded`: another process runs with a copy of this disk. */
  readonly state: "seeking" | "recovering" | "serving" | "leaving" | "superseded";
  readonly founded_at: string | null;
  readonly members: readonly MemberView[];
  /** By name; those that were asked for, and not all of them at once. */
  readonly buckets: readonly BucketView[];
  /** How many there are of those that were asked for, whether or not they are in `buckets`. */
  readonly buckets_total: number;
  /** What to ask for next as `after`; null: that was all. */
  readonly next_after: string | null;
  /** How many buckets are kept that no configuration here has a limit for: siblings may, or it was removed. */
  readonly buckets_not_configured: number;
  /** Limits that have not been the same at all live replicas for a minute. */
  readonly limits_differ: readonly LimitDifference[];
  readonly peers: readonly string[];
  /** Those of them with which the last exchange failed, and why in words. */
  readonly peers_failing: readonly { readonly peer: string; readonly reason: string }[];
}

/** Which buckets somebody asks for. */
export interface FleetQuestion {
  readonly isAsked: (bucket: string) => boolean;
  /** Those behind this name; empty: from the first. */
  readonly after: string;
  /** At most so many. */
  readonly limit: number;
}

/** What the view needs of the replica's surroundings. */
export interface FleetSurroundings {
  readonly peers: readonly string[];
  /** Peers with which the last exchange failed, and why. */
  readonly failing: ReadonlyMap<string, string>;
  /** Whether the configuration in force has this bucket's limit. */
  readonly isConfigured: (bucket: Bucket) => boolean;
  readonly limitsDiffer: readonly LimitDifference[];
}

/** A member that said nothing for this long is shown as silent, in milliseconds. */
const SILENT_MS = 3000;

export function fleetView(
  replica: Replica,
  nowMs: number,
  { peers, failing, isConfigured, limitsDiffer }: FleetSurroundings,
  { isAsked, after, limit }: FleetQuestion,
): FleetView {
  const { state } = replica;
  const { ledger } = state;
  const configured = [...state.holdings.values()].filter(
    ({ local }) => local !== null && isConfigured(local),
  );
  const asked = configured.filter(({ rows }) => isAsked(rows.key)).sort(byName);
  const rest = after === "" ? asked : asked.filter(({ rows }) => rows.key > after);
  const shown = rest.slice(0, limit);
  return {
    replica: replica.id,
    name: state.me.profile.name,
    state: fleetStateOf(replica),
    founded_at: ledger.lineage === null ? null : new Date(ledger.lineage.stamp).toISOString(),
    members: membersOf(replica, nowMs),
    buckets: shown.map((holding) => bucketView(replica, holding, nowMs)),
    buckets_total: asked.length,
    next_after: rest.length > shown.length ? (shown.at(-1)?.rows.key ?? null) : null,
    buckets_not_configured: state.holdings.size - configured.length,
    limits_differ: limitsDiffer,
    peers,
    peers_failing: Array.from(failing, ([peer, reason]) => ({ peer, reason })),
  };
}

function byName(left: Holding, right: Holding): number {
  return left.rows.key < right.rows.key ? -1 : 1;
}

/** All members that this replica knows of, itself and those who are gone included. */
export function membersOf({ state }: Replica, nowMs: number): readonly MemberView[] {
  const { ledger } = state;
  return [...ledger.members.values()].map((member) => {
    const isSelf = member === state.me;
    const silentMs = isSelf ? 0 : agedMs(member.heardMs, nowMs);
    const isGone = ledger.succession.has(member.id);
    return {
      replica: member.id,
      name: member.profile.name,
      is_self: isSelf,
      is_founder: ledger.lineage?.founder === member.id,
      state: isGone ? "gone" : silentMs === -1 || silentMs > SILENT_MS ? "silent" : "live",
      boot: member.boot,
      version: member.version,
      silent_ms: silentMs,
    };
  });
}

/** Whole milliseconds since then; -1: that never was. */
function agedMs(heardMs: number, nowMs: number): number {
  return heardMs === -Infinity ? -1 : Math.max(0, Math.round(nowMs - heardMs));
}

/** What the replica does at the moment; it admits only while it is serving. */
export function fleetStateOf({ state, membership }: Replica): FleetView["state"] {
  if (state.supersededByBoot !== 0) return "superseded";
  if (membership.isLeaving) return "leaving";
  if (state.ledger.lineage === null) return "seeking";
  return state.isRecovering ? "recovering" : "serving";
}

function bucketView({ state, id }: Replica, holding: Holding, nowMs: number): BucketView {
  const { rows, local } = holding;
  local?.refill(nowMs);
  const parts: PartView[] = [];
  for (const member of state.ledger.members.values()) {
    if (state.ledger.succession.has(member.id)) continue;
    const isSelf = member.id === id;
    const entry = rows.entries.get(member.id);
    const gauge = isSelf ? state.gaugeOf(holding) : entry?.row.gauge;
    parts.push({
      replica: member.id,
      share: state.ledger.share(rows, member.id) / WHOLE,
      level: gauge?.level ?? untoldLevel(state, holding, member.id),
      demand: gauge?.demand ?? 0,
      waiting: gauge?.waiting ?? 0,
      age_ms: isSelf ? 0 : agedMs((entry ?? member).heardMs, nowMs),
    });
  }
  return { bucket: rows.key, capacity: local?.limit.capacity ?? 0, parts };
}

interface TransportCounts {
  readonly refused: ReadonlyMap<string, number>;
  readonly failed: ReadonlyMap<string, number>;
  readonly traffic: Traffic;
}

/** What `/metrics` shows of the fleet. */
export function* fleetSamples(replica: Replica, nowMs: number, counts: TransportCounts): Iterable<Sample> {
  const { state } = replica;
  const totals = state.counts;
  const { traffic } = counts;
  yield counter("sluice_fleet_messages_sent_total", "Messages sent to siblings.", totals.sent);
  yield counter(
    "sluice_fleet_messages_received_total",
    "Messages and answers from siblings.",
    totals.received,
  );
  yield counter("sluice_fleet_sent_bytes_total", "Bytes sent to siblings.", traffic.sentBytes);
  yield counter("sluice_fleet_received_bytes_total", "Bytes from siblings.", traffic.receivedBytes);
  yield counter("sluice_fleet_merges_total", "Messages whose rows were merged.", totals.merges);
  yield counter(
    "sluice_fleet_gives_total",
    "Times that a share of a bucket was given to a sibling.",
    totals.gives,
  );
  yield counter(
    "sluice_fleet_credits_total",
    "Times that a share of a bucket came from a sibling.",
    totals.credits,
  );
  for (const reason of TRANSPORT_FAULTS) {
    const value = counts.refused.get(reason) ?? 0;
    yield counter("sluice_fleet_refused_messages_total", "Messages that were refused.", value, { reason });
  }
  for (const reason of TRANSPORT_FAULTS) {
    const value = counts.failed.get(reason) ?? 0;
    yield counter("sluice_fleet_failed_exchanges_total", "Exchanges with siblings that failed.", value, {
      reason,
    });
  }
  const members = [...state.ledger.members.values()].filter(({ id }) => !state.ledger.succession.has(id));
  const silences = members.filter((member) => member !== state.me).map((member) => nowMs - member.heardMs);
  const live = silences.filter((silentMs) => silentMs <= SILENT_MS);
  yield gauge("sluice_fleet_members", "Replicas that hold or may hold a share.", members.length);
  yield gauge(
    "sluice_fleet_live_members",
    "Those that were heard of lately, this one included.",
    live.length + 1,
  );
  yield gauge(
    "sluice_fleet_lag_seconds",
    "How old the oldest news from a live sibling is.",
    Math.max(0, ...live) / 1000,
  );
}
