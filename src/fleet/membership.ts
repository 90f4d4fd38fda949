// Being a member: finding the fleet or founding it, asking the siblings what they remember before serving, showing a
// sign of life, leaving with everything handed over, and taking over from those who are dead.
import { sayFarewells } from "./farewell.ts";
import { isHeard, isReachable } from "./giving.ts";
import { hasHidden } from "./holding.ts";
import type { Link, Links } from "./links.ts";
import { goOnUnderNewId } from "./recovery.ts";
import { handOverAll } from "./leaving.ts";
import type { ReplicaState } from "./state.ts";
import { join } from "./renewal.ts";

const HEARTBEAT_MS = 1000;
/** How often those who are gone are looked after. */
const FAREWELL_MS = 500;
/** How often everything heard is written, so that a restart need not ask for it again. */
const CHECKPOINT_MS = 10_000;
/** How long a leaver waits until all know that it leaves. */
const ANNOUNCED_MS = 1000;
/** How many heirs one names; the first that stays is the one. */
const HEIRS_MAX = 16;

/** When the share of a silent replica is taken over: `after` milliseconds, or only on an operator's word (`Infinity`). */
export interface MembershipOptions {
  readonly name: string;
  /** Whether the configuration names siblings at all. */
  readonly hasPeers: boolean;
  /** How long to look for a fleet before founding one while some peers are absent; Infinity waits for all. */
  readonly foundAfterMs: number;
  /** Whether that goes for peers that can't be reached as well: they may be cut off, and have a fleet. */
  readonly foundsUnheard: boolean;
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
  foundsUnheard: true,
  bootGraceMs: 2000,
  reclaimAfterMs: Infinity,
  unreachableAfterMs: 3000,
};

type Leaving = "no" | "announcing" | "giving" | "telling" | "left";

export class Membership {
  readonly #state: ReplicaState;
  readonly #links: Links;
  readonly #options: MembershipOptions;
  readonly #startMs: number;
  #beatMs = -Infinity;
  #checkpointMs: number;
  #farewellMs = -Infinity;
  /** It would found a fleet, but siblings that it can't reach may have one. */
  isHeldBack = false;
  /** How far this replica is with leaving. */
  leaving: Leaving = "no";
  #leavingMs = Infinity;

  constructor(state: ReplicaState, links: Links, options: MembershipOptions) {
    this.#state = state;
    this.#links = links;
    this.#options = options;
    this.#startMs = state.nowMs;
    state.unreachableAfterMs = options.unreachableAfterMs;
    this.#checkpointMs = state.nowMs;
    if (!options.hasPeers && state.ledger.lineage === null) this.#found(true);
    // Also one that had not joined yet when its disk was copied, or has forgotten that it did.
    state.isRecovering = options.hasPeers && state.durableId !== "";
    state.isAdmitting = !state.isRecovering;
    if (state.me.profile.name !== options.name)
      state.publishProfile({ ...state.me.profile, name: options.name });
  }

  get isSeeking(): boolean {
    return this.#state.ledger.lineage === null || this.#state.isRecovering;
  }

  get hasLeft(): boolean {
    return this.leaving === "left";
  }

  get isLeaving(): boolean {
    return this.leaving !== "no";
  }

  /** It would hand over, and all others leave too or are gone: what it holds is on its disk, for when it comes back. */
  get isDeserted(): boolean {
    const { ledger, me } = this.#state;
    if (this.leaving !== "giving") return false;
    return [...ledger.members.values()].every(
      (member) => member === me || member.isLeaving || member.hasLeft || ledger.succession.has(member.id),
    );
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
    this.#lookBack();
    if (this.leaving !== "no") this.#goOnLeaving();
    else this.#claimTheDead();
  }

  /** What concerns those who are gone, and whether this replica is taken for one of them. */
  #lookBack(): void {
    const state = this.#state;
    const isGone = state.ledger.succession.has(state.me.id) || state.me.hasLeft;
    if (isGone && this.leaving === "no" && !state.isRecovering) {
      if (!hasHidden(state.holdings.values())) goOnUnderNewId(state, state.newId());
    }
    if (state.nowMs - this.#farewellMs < FAREWELL_MS && !state.isToAcknowledge) return;
    this.#farewellMs = state.nowMs;
    state.isToAcknowledge = false;
    sayFarewells(state);
  }

  #seek(): void {
    if (this.#state.mustJoin) return;
    const links = [...this.#links.all.values()].filter((link) => !link.isSelf);
    const { areAllKnown } = this.#links;
    const hasAllAnswered = areAllKnown && links.length > 0 && links.every((link) => link.hasAnswered);
    const waitedMs = this.#state.nowMs - this.#startMs;
    const { foundAfterMs, foundsUnheard } = this.#options;
    const isAlone = areAllKnown && links.every((link) => link.hasAnswered || this.#isAbsent(link));
    const { id } = this.#state.me;
    const isLowest = links.every((link) => !link.hasAnswered || this.#isAbsent(link) || id < link.peer);
    const isOverdue = foundsUnheard && waitedMs >= 2 * foundAfterMs;
    // The lowest founds. The others found when it is no more, or, where that may be assumed, after the same time again.
    const isDue = hasAllAnswered || (waitedMs >= foundAfterMs && (isAlone || foundsUnheard));
    this.isHeldBack = waitedMs >= foundAfterMs && !foundsUnheard && !(isDue && isLowest);
    if (isDue && (isLowest || isOverdue)) this.#found(hasAllAnswered || foundsUnheard);
  }

  /** One refusal is none: a path may break in many ways, and who was silent once may be behind it. */
  #isAbsent({ absentSinceMs, isDoubtful }: Link): boolean {
    return !isDoubtful && this.#state.nowMs - absentSinceMs >= this.#options.foundAfterMs;
  }

  /** `isSure`: nobody has anything to say. Else rates begin empty, for another fleet may have spent what they would hold. */
  #found(isSure: boolean): void {
    const state = this.#state;
    join(state, { stamp: state.wallMs, founder: state.me.id });
    for (const holding of state.holdings.values()) {
      const { local } = holding;
      if (local === null) continue;
      const { kind } = local.limit.refill;
      const isFilled = kind === "calendar" || (kind === "continuous" && isSure);
      if (isFilled && state.isUntouched(holding)) local.level = local.capacity;
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
    state.passedBack.clear();
    state.isAdmitting = state.supersededByBoot === 0;
    state.news += 1;
    for (const holding of state.holdings.values()) if (holding.local !== null) state.room(holding.local);
  }

  /** Hands everything over and leaves; `hasLeft` tells when a sibling has confirmed. */
  leave(): void {
    if (this.leaving !== "no") return;
    this.#state.isAdmitting = false;
    this.#state.isLeaving = true;
    this.leaving = "announcing";
    this.#leavingMs = this.#state.nowMs;
    for (const link of this.#links.all.values()) link.isUrgent = true;
    this.#goOnLeaving();
  }

  /** The siblings that stay, in order. One that was only introduced may itself be behind, and never be heard under that name. */
  #siblings(): string[] {
    const state = this.#state;
    return [...state.ledger.members.values()]
      .filter((member) => member !== state.me && member.version > 0 && isReachable(state, member))
      .map((member) => member.id)
      .sort();
  }

  /**
   * Who may be given what this one holds: those who know that it leaves. Others may be leaving too, and hand over to this one;
   * units that are given to one that has left are lost.
   */
  #heirs(): string[] {
    return this.#siblings().filter((id) => this.#state.ledger.member(id).isAware);
  }

  #goOnLeaving(): void {
    const state = this.#state;
    const heir = this.#heirs()[0];
    switch (this.leaving) {
      case "announcing":
        if (!this.#isAnnounced()) return;
        this.leaving = "giving";
        this.#goOnLeaving();
        return;
      case "giving":
        if (heir === undefined) return;
        if (!handOverAll(state, heir)) return;
        // No flush holds this before it holds all that was given (see journal.ts), and nobody hears of it before.
        this.#nameHeirs();
        this.leaving = "telling";
        return;
      case "telling":
        if (state.pendingProfile !== null) return;
        // It goes on under another id since.
        if (!state.me.hasLeft) this.leaving = "giving";
        // Whom it has named may have left meanwhile, unheard.
        else if (!this.#nameHeirs() && this.#isSucceeded() && this.#isConfirmed()) this.leaving = "left";
        return;
      case "no":
      case "left":
    }
  }

  /**
   * Whether all who can be reached know that this one leaves, or enough was waited for that. Then no sibling gives it anything
   * more, and all that was given to it has come; and of those who leave at about the same time each knows of the others,
   * before one of them gives away what it holds: units that are given to one that has left are lost.
   */
  #isAnnounced(): boolean {
    const state = this.#state;
    const { ledger, me } = state;
    if (state.nowMs - this.#leavingMs >= ANNOUNCED_MS) return true;
    return [...ledger.members.values()].every(
      (member) =>
        member === me ||
        member.isAware ||
        // It has said nothing of itself yet.
        member.version === 0 ||
        member.hasLeft ||
        ledger.succession.has(member.id) ||
        !isHeard(state, member),
    );
  }

  /**
   * Names all that it knows to stay, after those that it has named already: some may be about to leave as well, and may
   * have named this one. Nothing is taken from anyone by a name that is added: it counts only where all before it have
   * left, and one that has left holds nothing any more. Returns whether it knew of any more.
   */
  #nameHeirs(): boolean {
    const state = this.#state;
    const { heirs } = state.profile;
    const more = this.#heirs().filter((id) => !heirs.includes(id));
    if (more.length === 0 || heirs.length >= HEIRS_MAX) return false;
    state.proposeProfile({
      ...state.profile,
      heirs: [...heirs, ...more].slice(0, HEIRS_MAX),
      edition: state.ledger.latestEdition() + 1,
    });
    return true;
  }

  /** Whether what this replica held is held by one that has not left. */
  #isSucceeded(): boolean {
    const { ledger, me } = this.#state;
    const end = ledger.members.get(ledger.succession.get(me.id) ?? "");
    return end !== undefined && !end.hasLeft;
  }

  /**
   * Whether some sibling that stays has everything that this replica said, its farewell included, on its disk; and of
   * others who have left too, for they may have gone because this one had it.
   */
  #isConfirmed(): boolean {
    const { ledger } = this.#state;
    const left = [...ledger.members.values()].filter(({ hasLeft, farewell }) => hasLeft && farewell === null);
    return this.#siblings().some((id) => {
      const { seen } = ledger.member(id).profile;
      return left.every((gone) => (seen.get(gone.id) ?? 0) >= gone.profile.edition);
    });
  }

  /** Takes over from a replica, as an operator's word or by policy. Returns whether there was anything to take over. */
  evict(id: string): boolean {
    const state = this.#state;
    if (id === state.me.id || !state.ledger.members.has(id) || state.ledger.succession.has(id)) return false;
    const edition = state.ledger.latestEdition() + 1;
    const { boot, version } = state.ledger.member(id);
    const claims = new Map(state.profile.claims).set(id, { edition, known: { boot, version } });
    state.proposeProfile({ ...state.profile, edition, claims });
    return true;
  }

  /** Whether it is the lowest of the live replicas, who does what one is to do for all. */
  get isElder(): boolean {
    const { me, isAdmitting } = this.#state;
    return isAdmitting && !this.#siblings().some((id) => id < me.id);
  }

  /** The lowest live replica claims those that have been silent for too long, where the policy says so. */
  #claimTheDead(): void {
    const { ledger, me, nowMs } = this.#state;
    if (!this.isElder) return;
    for (const member of ledger.members.values()) {
      if (member === me || ledger.succession.has(member.id)) continue;
      const silentMs = nowMs - Math.max(member.heardMs, this.#startMs);
      if (silentMs >= this.#options.reclaimAfterMs) this.evict(member.id);
    }
  }
}
