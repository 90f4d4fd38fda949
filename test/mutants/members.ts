// Faults in being a member: founding, recovering, leaving, taking over, forgetting.
import type { Mutant } from "./suites.ts";

export const MEMBERS: readonly Mutant[] = [
  {
    fault: "what a gone replica gave is dropped with its rows",
    file: "src/fleet/farewell.ts",
    find: "if (holder !== me.id) given.set(holder, joined(given.get(holder), edge));",
    replace: "",
    by: "one replica",
  },
  {
    fault: "a farewell is told of after the rows that it goes with",
    file: "src/fleet/merging.ts",
    find: `  for (const farewell of message.farewells) carryOut(state, farewell);
`,
    replace: "",
    by: "one replica",
  },
  {
    fault: "a leaver gives away what its running requests hold",
    file: "src/fleet/leaving.ts",
    find: 'local.limit.refill.kind === "held" ? givableParts(local, share) : share;',
    replace: "share;",
    by: "members",
  },
  {
    fault: "who is gone gives on to itself: what others gave to it moves nobody's share",
    file: "src/fleet/merging.ts",
    find: "succession.size > 0 ? resharedOf",
    replace: "succession.size > 1e9 ? resharedOf",
    by: "one replica",
  },
  {
    fault: "parts set apart for a later calendar period are handed over as parts of this one",
    file: "src/fleet/leaving.ts",
    find: "if (local.aheadPeriod !== -1) handOverAhead(state, local, heir);",
    replace: "",
    by: "one replica",
  },
  {
    fault: "a restarted replica admits before it has asked its siblings what they remember",
    file: "src/fleet/membership.ts",
    find: "    state.isAdmitting = !state.isRecovering;",
    replace: "    state.isAdmitting = true;",
    by: "members",
  },
  {
    fault: "a disk set back keeps the units that it speaks of",
    file: "src/fleet/recovery.ts",
    find: "  if (isSetBack) state.burn();",
    replace: "",
    by: "members",
  },
  {
    fault: "a replica founds a fleet without waiting for its peers",
    file: "src/fleet/membership.ts",
    find: "const isDue = hasAllAnswered || (waitedMs >= foundAfterMs && (isAlone || foundsUnheard));",
    replace: "const isDue = links.length < 1e9;",
    by: "members",
  },
  {
    fault: "answers from before somebody went away count for founding a fleet",
    file: "src/fleet/links.ts",
    find: `      this.all.delete(name);
      this.#askAnew();`,
    replace: "      this.all.delete(name);",
    by: "members",
  },
  {
    fault: "a leaver stops when a sibling has heard it, not when it has it on disk",
    file: "src/fleet/membership.ts",
    find: "return left.every((gone) => (seen.get(gone.id) ?? 0) >= gone.profile.edition);",
    replace:
      "return left.every((gone) => seen !== null && (this.#links.vectors.get(id)?.get(gone.id)?.version ?? 0) >= gone.profileStamp.version);",
    by: "members",
  },
  {
    fault: "who was declared dead and lives goes on as before",
    file: "src/fleet/membership.ts",
    find: 'if (isGone && this.leaving === "no") {',
    replace: "if (isGone && this.#links.all.size > 1e9) {",
    by: "members",
  },
  {
    fault: "one's own claims count as farewells that were carried out",
    file: "src/fleet/membership.ts",
    find: "state.proposeProfile({ ...state.profile, edition, claims });",
    replace: "state.proposeProfile({ ...state.profile, edition, claims, era: edition });",
    by: "members",
  },
  {
    fault: "what a disk set back had spent is not taken over",
    file: "src/fleet/recovery.ts",
    find: `    adoptTotals(holding, row);
`,
    replace: "",
    by: "members",
  },
  {
    fault: "who leaves is written down as gone before all that it gave is",
    file: "src/fleet/journal.ts",
    find: "if (state.dirty.length === 0) this.#collectMembers(batch);",
    replace: "this.#collectMembers(batch);",
    by: "one replica",
  },
  {
    fault: "a leaver names one heir, who may have named it",
    file: "src/fleet/membership.ts",
    find: "heirs: [...heirs, ...more].slice(0, HEIRS_MAX),",
    replace: "heirs: [...heirs, ...more].slice(0, 1),",
    by: "members",
  },
  {
    fault: "whoever stays claims what leavers named to each other",
    file: "src/fleet/membership.ts",
    find: "if (silentMs >= this.#options.reclaimAfterMs) this.evict(member.id);",
    replace:
      "if (silentMs >= (member.hasLeft ? this.#state.unreachableAfterMs : this.#options.reclaimAfterMs)) this.evict(member.id);",
    by: "members",
  },
  {
    fault: "who comes back after it has left does not go on with what nobody else got",
    file: "src/fleet/recovery.ts",
    find: "former.hasLeft ? [[former.id, { edition",
    replace: "former.hasLeft ? [[id, { edition",
    by: "members",
  },
  {
    fault: "claims fall while the rows of who made them are taken over",
    file: "src/bucket/ledger.ts",
    find: "gone.profile = { ...NEW_PROFILE, claims: gone.profile.claims };",
    replace: "gone.profile = NEW_PROFILE;",
    by: "laws",
  },
  {
    fault: "what was minted after being declared dead is nobody's debt",
    file: "src/fleet/recovery.ts",
    find: `    local.level -= Math.min(local.ratePerMs * unheardMs, local.capacity + spent, local.limit.capacity);
`,
    replace: "",
    by: "members",
  },
  {
    fault: "what others tell first of one that is silent is taken for a sign of life",
    file: "src/fleet/merging.ts",
    find: "member !== undefined && author !== sender && !state.heardOf.has(author)",
    replace: "member === undefined",
    by: "members",
  },
  {
    fault: "a replica is forgotten while a row still names it",
    file: "src/fleet/farewell.ts",
    find: " && ledger.isUnmentioned(member.id);",
    replace: ";",
    by: "one replica",
  },
  {
    fault: "a replica is forgotten before all have said farewell",
    file: "src/fleet/farewell.ts",
    find: "left.every((other) => hasSeen(other, speaker, edition)) && ledger",
    replace: "ledger",
    by: "one replica",
  },
  {
    fault: "rows are taken over before everybody has heard of the claim",
    file: "src/fleet/farewell.ts",
    find: "if (claimant !== null && !hasSeen(member, claimant.member, claimant.edition)) return false;",
    replace: "",
    by: "members",
  },
  {
    fault: "who takes over rows adds the units that were under way to its own",
    file: "src/fleet/farewell.ts",
    find: "return { ...known, parts };",
    replace: "return { ...known, parts, units: advance(known.units, more.units) };",
    by: "one replica",
  },
  {
    fault: "what was given to one that is gone is dropped, not given to who took over",
    file: "src/fleet/farewell.ts",
    find: `  if (holder !== state.me.id) given.set(holder, joined(given.get(holder), edge));
`,
    replace: "",
    by: "one replica",
  },
  {
    fault: "a farewell is told of before it is durable",
    file: "src/fleet/farewell.ts",
    find: "(by !== me.id || edition <= me.profile.edition)",
    replace: "(by !== me.id || edition > 0)",
    by: "one replica",
  },
  {
    fault: "who drops the rows of one that is gone writes that by halves",
    file: "src/fleet/farewell.ts",
    find: `  state.dirtyMembers.add(farewell.gone);
  state.isStartingOver = true;
`,
    replace: `  state.dirtyMembers.add(farewell.gone);
`,
    by: "one replica",
  },
  {
    fault: "who gives way to an older fleet keeps its units",
    file: "src/fleet/state.ts",
    find: `    this.isStartingOver = true;
    this.burn();
`,
    replace: `    this.isStartingOver = true;
`,
    by: "one replica",
  },
  {
    fault: "one that its fleet has forgotten founds another",
    file: "src/fleet/membership.ts",
    find: `    if (this.#state.mustJoin) return;
`,
    replace: "",
    by: "one replica",
  },
  {
    fault: "parts set apart for a later period are given away in this one",
    file: "src/fleet/giving.ts",
    find: "  return share - local.aheadParts;",
    replace: "  return share;",
    by: "one replica",
  },
  {
    fault: "one of an earlier era than what the others have forgotten tells what it knows",
    file: "src/fleet/farewell.ts",
    find: "return state.me.profile.era >= state.ledger.forgotten && !state.isNewcomer;",
    replace: "return !state.isNewcomer;",
    by: "one replica",
  },
  {
    fault: "a newcomer tells what it knows before its joining is durable",
    file: "src/fleet/farewell.ts",
    find: "return state.me.profile.era >= state.ledger.forgotten && !state.isNewcomer;",
    replace: "return state.me.profile.era >= state.ledger.forgotten;",
    by: "one replica",
  },
  {
    fault: "an address that was silent counts as absent once it refuses",
    file: "src/fleet/links.ts",
    find: "    link.isDoubtful ||= absentMs === Infinity;\n",
    replace: "",
    by: "one replica",
  },
  {
    fault: "a leaver's rows are taken over before those who can be reached have heard that it left",
    file: "src/fleet/farewell.ts",
    find: "return !gone.hasLeft || hasSeen(member, gone, gone.profile.edition) || !isReachable(state, member);",
    replace: "return true;",
    by: "one replica",
  },
  {
    fault: "of two sides that took over each other's rows both begin again",
    file: "src/fleet/exchange.ts",
    find: "return forgotten > profile.era || (era > profile.era && farewells.some(({ gone }) => gone === id));",
    replace: "return forgotten > profile.era || farewells.some(({ gone }) => gone === id);",
    by: "one replica",
  },
];
