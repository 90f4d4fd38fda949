// Being a member: finding the fleet or founding it, asking the siblings what they remember before serving, showing a
// sign of life, leaving with everything handed over, and taking over from those who are dead.
import type { Links } from "./links.ts";
import { givableParts, give, parkedUnits, partiesOf } from "./giving.ts";
import type { Holding } from "./holding.ts";
import { MILLI } from "../bucket/parts.ts";
import { compareStamps } from "../bucket/row.ts";
import type { ReplicaState } from "./state.ts";

const HEARTBEAT_MS = 1000;
/** How often everything heard is written, so that a restart need not ask for it again. */
const CHECKPOINT_MS = 10_000;

/** When the share of a silent replica is taken over: `after` milliseconds, or only on an operator's word (`Infinity`). */
export interface MembershipOptions {
  readonly name: string;
  /** Whether the configuration names siblings at all. */
  readonly hasPeers: boolean;
  /** How long to look for a fleet before founding one while some peers stay silent; Infinity waits for all. */
  readonly foundAfterMs: number;
  /** How long to wait for what the siblings remember before going on with what the disk says. */
  readonly bootGraceMs: number;
  /** After how long without news a sibling is given nothing more. */
  readonly unreachableAfterMs: number;
  /** How long a silent replica is left alone before its share is claimed; Infinity: never without an operator. */
  readonly reclaimAfterMs: number;
}

export const ALONE: MembershipOptions = {
  name: "",
  hasPeers: false,
  foundAfterMs: 5000,
  bootGraceMs: 2000,
  reclaimAfterMs: Infinity,
  unreachableAfterMs: 3000,
};

type Leaving = "no" | "giving" | "naming an heir" | "telling" | "left";

export class Membership {
  readonly #state: ReplicaState;
  readonly #links: Links;
  readonly #options: MembershipOptions;
  readonly #startMs: number;
  #beatMs = -Infinity;
  #checkpointMs: number;
  #leaving: Leaving = "no";

  constructor(state: ReplicaState, links: Links, options: MembershipOptions) {
    this.#state = state;
    this.#links = links;
    this.#options = options;
    this.#startMs = state.nowMs;
    state.unreachableAfterMs = options.unreachableAfterMs;
    this.#checkpointMs = state.nowMs;
    if (!options.hasPeers && state.ledger.lineage === null) this.#found();
    state.isRecovering = options.hasPeers && state.ledger.lineage !== null;
    state.isAdmitting = !state.isRecovering;
    if (state.me.profile.name !== options.name)
      state.publishProfile({ ...state.me.profile, name: options.name });
  }

  get isSeeking(): boolean {
    return this.#state.ledger.lineage === null || this.#state.isRecovering;
  }

  get hasLeft(): boolean {
    return this.#leaving === "left";
  }

  get isLeaving(): boolean {
    return this.#leaving !== "no";
  }

  tick(): void {
    const state = this.#state;
    if (state.ledger.lineage === null) this.#seek();
    if (state.isRecovering && this.#isRecovered()) this.#serve();
    if (state.nowMs - this.#beatMs >= HEARTBEAT_MS) {
      this.#beatMs = state.nowMs;
      state.me.version += 1;
    }
    if (state.nowMs - this.#checkpointMs >= CHECKPOINT_MS) {
      this.#checkpointMs = state.nowMs;
      state.checkpoint();
    }
    if (this.#leaving !== "no") this.#goOnLeaving();
    else this.#claimTheDead();
  }

  #seek(): void {
    const links = [...this.#links.all.values()].filter((link) => !link.isSelf);
    const hasAllAnswered = links.length > 0 && links.every((link) => link.hasAnswered);
    const waitedMs = this.#state.nowMs - this.#startMs;
    const { foundAfterMs } = this.#options;
    if (!hasAllAnswered && waitedMs < foundAfterMs) return;
    const isLowest = links.every((link) => !link.hasAnswered || this.#state.me.id < link.peer);
    // The lowest founds; the others give it the same time again, in case it is gone by now.
    if (isLowest || waitedMs >= 2 * foundAfterMs) this.#found();
  }

  #found(): void {
    const state = this.#state;
    state.join({ stamp: state.wallMs, founder: state.me.id });
    for (const holding of state.holdings.values()) {
      const { local } = holding;
      if (local === null) continue;
      if (state.isUntouched(holding) && local.limit.refill.kind !== "held") local.level = local.capacity;
      state.markDirty(holding);
      state.room(local);
    }
  }

  #isRecovered(): boolean {
    const links = [...this.#links.all.values()].filter((link) => !link.isSelf);
    if (links.length > 0 && links.every((link) => link.hasAnswered)) return true;
    return this.#state.nowMs - this.#startMs >= this.#options.bootGraceMs;
  }

  #serve(): void {
    const state = this.#state;
    state.isRecovering = false;
    state.isAdmitting = state.supersededByBoot === 0;
    state.news += 1;
    for (const holding of state.holdings.values()) if (holding.local !== null) state.room(holding.local);
  }

  /** Hands everything over and leaves; `hasLeft` tells when a sibling has confirmed. */
  leave(): void {
    if (this.#leaving !== "no") return;
    this.#state.isAdmitting = false;
    this.#leaving = "giving";
    this.#goOnLeaving();
  }

  #siblings(): string[] {
    const { ledger, me, nowMs } = this.#state;
    return [...ledger.members.values()]
      .filter(
        (member) =>
          member !== me &&
          !ledger.succession.has(member.id) &&
          nowMs - member.heardMs < this.#state.unreachableAfterMs,
      )
      .map((member) => member.id)
      .sort();
  }

  #goOnLeaving(): void {
    const state = this.#state;
    const heir = this.#siblings()[0];
    switch (this.#leaving) {
      case "giving":
        if (heir === undefined) return;
        if (handOverAll(state)) this.#leaving = "naming an heir";
        return;
      case "naming an heir":
        if (heir === undefined || [...state.holdings.values()].some((holding) => holding.isHidden)) return;
        state.proposeProfile({ ...state.me.profile, heir });
        this.#leaving = "telling";
        return;
      case "telling":
        if (state.me.profile.heir !== "" && this.#isConfirmed()) this.#leaving = "left";
        return;
      case "no":
      case "left":
    }
  }

  /** Whether some sibling has everything that this replica said, its farewell included. */
  #isConfirmed(): boolean {
    const { me } = this.#state;
    for (const [peer, vector] of this.#links.vectors) {
      const known = vector.get(me.id);
      if (peer !== me.id && known !== undefined && compareStamps(known, me.profileStamp) >= 0) return true;
    }
    return false;
  }

  /** Takes over from a replica, as an operator's word or by policy. Returns whether there was anything to take over. */
  evict(id: string): boolean {
    const state = this.#state;
    if (id === state.me.id || !state.ledger.members.has(id) || state.ledger.succession.has(id)) return false;
    const { profile } = state.pendingProfile === null ? state.me : { profile: state.pendingProfile };
    state.proposeProfile({ ...profile, claims: new Set(profile.claims).add(id) });
    return true;
  }

  /** The lowest live replica claims those that have been silent for too long. */
  #claimTheDead(): void {
    const { ledger, me, nowMs, isAdmitting } = this.#state;
    if (!isAdmitting || this.#siblings().some((id) => id < me.id)) return;
    for (const member of ledger.members.values()) {
      if (member === me) continue;
      const holder = ledger.succession.get(member.id) ?? member.id;
      const isLost = holder === member.id && member.heir !== "";
      const silentMs = nowMs - Math.max(member.heardMs, this.#startMs);
      if (holder === member.id && (isLost || silentMs >= this.#options.reclaimAfterMs)) this.evict(member.id);
    }
  }
}

/** Gives everything to the siblings. Returns whether that is all: running requests keep theirs until they end. */
function handOverAll(state: ReplicaState): boolean {
  let isAll = true;
  for (const holding of state.holdings.values()) {
    const { local } = holding;
    const share = state.ledger.share(holding.rows, state.me.id);
    if (share <= 0 || holding.rows.entries.size === 0) continue;
    const isHeld = local !== null && local.limit.refill.kind === "held";
    const free = isHeld ? givableParts(local, share) : share;
    if (free > 0) handOver(state, holding, free);
    if (free < share) isAll = false;
  }
  return isAll;
}

/** Gives parts of a bucket to the siblings by demand; without demand anywhere, to the one with the lowest id. */
function handOver(state: ReplicaState, holding: Holding, share: number): void {
  const others = partiesOf(state, holding).filter((party) => party.id !== state.me.id);
  const demand = others.reduce((sum, party) => sum + party.demand, 0);
  const receivers = others
    .filter((party) => demand === 0 || party.demand > 0)
    .sort((left, right) => right.demand - left.demand || (left.id < right.id ? -1 : 1));
  if (demand === 0) receivers.length = Math.min(1, receivers.length);
  let partsLeft = share;
  let unitsLeft = unitsOf(state, holding);
  receivers.forEach((party, index) => {
    const isLast = index === receivers.length - 1;
    const parts = isLast ? partsLeft : Math.floor(share * (party.demand / demand));
    if (parts <= 0) return;
    const units = isLast ? unitsLeft : Math.floor(unitsLeft * (parts / partsLeft));
    give(state, holding, { to: party.id, parts, units });
    partsLeft -= parts;
    unitsLeft -= units;
  });
}

/** Milli-units that can go along. */
function unitsOf(state: ReplicaState, holding: Holding): number {
  const { local } = holding;
  if (local === null) return parkedUnits(state, holding);
  local.refill(state.nowMs);
  return local.limit.refill.kind === "held" ? 0 : Math.floor(Math.max(0, local.level) * MILLI);
}
