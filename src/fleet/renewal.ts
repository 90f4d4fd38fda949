// How a replica begins, or begins again: it joins a fleet, gives way to an older one, goes on under another id, finds that
// its levels are worth nothing, or that another process goes on in its place.
import type { Lineage } from "../bucket/ledger.ts";
import { NEW_PROFILE, type Profile } from "../bucket/member.ts";
import { type Age, NO_AGE } from "./identity.ts";
import type { ReplicaState } from "./state.ts";

/**
 * Becomes a member of a fleet, with share zero. It goes on from what the member that takes it in has carried out and
 * forgotten: rows of those who are forgotten must not come back through one that has never heard of them.
 */
export function join(state: ReplicaState, lineage: Lineage, { era, forgotten }: Age = NO_AGE): void {
  state.ledger.lineage = lineage;
  state.ledger.forgotten = forgotten;
  state.isNewcomer = era > 0;
  if (era > 0) state.proposeProfile({ ...state.profile, era });
  state.isIdentityDirty = true;
  for (const holding of state.holdings.values()) state.reshare(holding);
  state.wake();
}

/** This replica's fleet gives way to an older one: it goes on there from share zero and level zero. */
export function startOver(state: ReplicaState, lineage: Lineage, age = NO_AGE): void {
  const { ledger } = state;
  for (const holding of state.holdings.values()) {
    for (const author of holding.rows.entries.keys()) holding.dirtyRows.add(author);
    holding.given = new Map();
    holding.isStaged = false;
  }
  for (const id of ledger.members.keys()) state.dirtyMembers.add(id);
  const { name } = state.me.profile;
  state.pendingProfile = null;
  ledger.clear();
  state.me = ledger.member(state.identity.id);
  nextBoot(state);
  state.publishProfile({ ...NEW_PROFILE, name });
  state.waitedFor.clear();
  state.setBack.clear();
  state.heardOf.clear();
  state.isStartingOver = true;
  burn(state);
  join(state, lineage, age);
  for (const holding of state.holdings.values()) state.publish(holding);
}

/** Goes on under another id, with a boot of its own; nothing of what was said before is this replica's any more. */
export function rename(state: ReplicaState, id: string, profile: Profile): void {
  state.identity = { ...state.identity, id };
  state.pendingProfile = null;
  state.me = state.ledger.member(id);
  nextBoot(state);
  state.identity = { ...state.identity, soundSince: state.identity.boot };
  state.isIdentityDirty = true;
  state.isStartingOver = true;
  state.publishProfile(profile);
  for (const holding of state.holdings.values()) {
    if (holding.local !== null) state.publish(holding);
  }
  state.wake();
}

function nextBoot(state: ReplicaState): void {
  state.identity = { ...state.identity, boot: state.identity.boot + 1 };
  state.me.boot = state.identity.boot;
  state.me.version = 0;
}

/** What the disk says of levels is worth nothing: they start at zero, and earlier gives are not credited again. */
export function burn(state: ReplicaState): void {
  state.identity = { ...state.identity, soundSince: state.identity.boot };
  state.isIdentityDirty = true;
  state.isBurnt = true;
  for (const holding of state.holdings.values()) {
    const { local, parked } = holding;
    if (local !== null) {
      local.late = 0;
      if (local.limit.refill.kind !== "held") local.level = Math.min(0, local.level);
    } else if (parked !== null) {
      holding.parked = {
        ...parked,
        level: { level: Math.min(0, parked.level.level), atMs: state.nowMs, block: 0 },
        // Nor is it known what was spent of the present period: it is not refilled before the next.
        period: -1,
      };
    }
    state.markDirty(holding);
  }
  state.wake();
}

/**
 * Another process runs under this id, from a copy of this disk, and was started later: this one stops. Should that one
 * be an earlier run of this very replica, before its disk and its clock went back, the next start comes after it.
 */
export function supersede(state: ReplicaState, boot: number): void {
  state.supersededByBoot = boot;
  state.isAdmitting = false;
  state.identity = { ...state.identity, boot };
  state.isIdentityDirty = true;
  state.wake();
}
