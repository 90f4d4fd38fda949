// Faults that one could be tempted by, as changes to the source. The suite has to fail for each of them, or it would
// not notice the fault either. `npm run mutants` plants them one by one.
import { DISK_MUTANTS } from "./disk-mutants.ts";
import type { Mutant } from "./suites.ts";

export const MUTANTS: readonly Mutant[] = [
  ...DISK_MUTANTS,
  {
    fault: "a give is added to its receiver and not subtracted from its giver",
    file: "src/bucket/ledger.ts",
    find: "    add(author, -moved);",
    replace: "",
    by: "laws",
  },
  {
    fault: "merging adds up what two versions of a row gave, instead of keeping the later",
    file: "src/bucket/ledger.ts",
    find: "    const moved = difference(edge.parts, before?.given.get(receiver)?.parts ?? 0);",
    replace: "    const moved = edge.parts;",
    by: "laws",
  },
  {
    fault: "units that were credited are credited again with each new row",
    file: "src/fleet/crediting.ts",
    find: "return difference(edge.units, isSameEdge(known, edge) ? known.units : 0);",
    replace: "return difference(edge.units, 0);",
    by: "members",
  },
  {
    fault: "a give is shown before it is durable",
    file: "src/fleet/holding.ts",
    find: "return this.isStaged || this.isFlushing;",
    replace: "return false;",
    by: "members",
  },
  {
    fault: "a give moves parts, and its units stay with the giver as well",
    file: "src/fleet/giving.ts",
    find: "local.level -= units / MILLI;",
    replace: "local.level -= 0;",
    by: "members",
  },
  {
    fault: "refill follows the wall clock after a step",
    file: "src/clock.ts",
    find: "const advance = Math.min(",
    replace: "const advance = Math.max(",
    by: "laws",
  },
  {
    fault: "the downtime of a restart is measured by the faster clock",
    file: "src/fleet/journal.ts",
    find: "Math.min(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs)",
    replace: "Math.max(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs)",
    by: "reserve ahead",
  },
  {
    fault: "another machine boot's clock is taken for ours",
    file: "src/fleet/journal.ts",
    find: '  if (then.bootId !== now.bootId || then.bootId === "") return 0;',
    replace: "",
    by: "reserve ahead",
  },
  {
    fault: "a restart gets back the block that was reserved ahead",
    file: "src/bucket/local.ts",
    find: "    this.level -= record.block;",
    replace: "",
    by: "reserve ahead",
  },
  {
    fault: "units are handed out that no block on disk covers",
    file: "src/bucket/local.ts",
    find: "|| this.allowance < cost || this.allowanceNext < cost) return false;",
    replace: "|| this.allowanceNext < cost) return false;",
    by: "reserve ahead",
  },
  {
    fault: "while a record is being written only the older one binds",
    file: "src/bucket/local.ts",
    find: "|| this.allowance < cost || this.allowanceNext < cost) return false;",
    replace: "|| this.allowance < cost) return false;",
    by: "laws",
  },
  {
    fault: "what is given back fills a level above its capacity",
    file: "src/bucket/local.ts",
    find: "this.level = Math.min(this.capacity, this.level + amount);",
    replace: "this.level += amount;",
    by: "reserve ahead",
  },
  {
    fault: "what is given back enlarges the block",
    file: "src/bucket/local.ts",
    find: "this.allowance = Math.min(this.block, this.allowance + amount);",
    replace: "this.allowance += amount;",
    by: "reserve ahead",
  },
  {
    fault: "a level stays above the capacity of a share that has shrunk",
    file: "src/bucket/local.ts",
    find: "else this.level = Math.min(this.level, capacity);",
    replace: "",
    by: "seeds",
  },
  {
    fault: "refill does not stop at the capacity",
    file: "src/bucket/local.ts",
    find: "this.level = level > this.capacity ? this.capacity : level;",
    replace: "this.level = level;",
    by: "reserve ahead",
  },
  {
    fault: "what a gone replica gave is dropped with its rows",
    file: "src/fleet/farewell.ts",
    find: "if (holder !== me.id) given.set(holder, joined(given.get(holder), edge));",
    replace: "",
    by: "members",
  },
  {
    fault: "a farewell is told of after the rows that it goes with",
    file: "src/fleet/merging.ts",
    find: "  for (const farewell of message.farewells) carryOut(state, farewell);\n",
    replace: "",
    by: "seeds",
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
    find: "state.ledger.succession.size > 0 ? [...touched]",
    replace: "state.ledger.succession.size > 1e9 ? [...touched]",
    by: "seeds",
  },
  {
    fault: "parts set apart for a later calendar period are handed over as parts of this one",
    file: "src/fleet/leaving.ts",
    find: "if (local.aheadPeriod !== -1) handOverAhead(state, local, heir);",
    replace: "",
    by: "reserve ahead",
  },
  {
    fault: "just after a calendar boundary units are taken that the disk would refill again",
    file: "src/bucket/local.ts",
    find: "    this.allowance = 0;\n    this.block = 0;\n",
    replace: "",
    by: "reserve ahead",
  },
  {
    fault: "a restored disk credits again what it had credited before",
    file: "src/fleet/crediting.ts",
    find: "  if (edge.boot < soundSince || edge.boot > boot) return 0;",
    replace: "",
    by: "reserve ahead",
  },
  {
    fault: "merge takes the field-wise greater of what all rows of a bucket say, as of one shared row",
    file: "src/bucket/ledger.ts",
    find: "      this.place(author, bucket, stamp, row).heardMs = nowMs;",
    replace: `      const given = new Map(row.given);
      for (const { row: other } of bucket.entries.values())
        for (const [to, edge] of other.given)
          if (to !== author.id && (given.get(to)?.parts ?? 0) < edge.parts) given.set(to, edge);
      this.place(author, bucket, stamp, { ...row, given }).heardMs = nowMs;`,
    by: "laws",
  },
  {
    fault: "an older version of a row replaces a later one that came before it",
    file: "src/bucket/ledger.ts",
    find: `      if (entry !== undefined && compareStamps(stamp, entry) <= 0) continue;
      onRow`,
    replace: "      onRow",
    by: "laws",
  },
  {
    fault: "what is known of an author moves on over a gap",
    file: "src/bucket/ledger.ts",
    find: `    if (compareStamps(section.from, author) > 0) return "gap";
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "a checksum is not looked at",
    file: "src/bucket/codec.ts",
    find: "if (this.#view.getUint32(this.#end, true) !== crc32(bytes, this.#end)) {",
    replace: "if (this.#view.getUint32(this.#end, true) < 0) {",
    by: "laws",
  },
  {
    fault: "running totals are subtracted as if they never wrapped",
    file: "src/bucket/parts.ts",
    find: "  return wrap(later - earlier);",
    replace: "  return later - earlier;",
    by: "laws",
  },
  {
    fault: "of two claims the one that was heard first wins",
    file: "src/bucket/succession.ts",
    find: "  const all = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));",
    replace: "  const all = [...members];",
    by: "laws",
  },
  {
    fault: "the claim of the higher id wins",
    file: "src/bucket/succession.ts",
    find: "  const all = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));",
    replace: "  const all = [...members].sort((left, right) => (left.id > right.id ? -1 : 1));",
    by: "laws",
  },
  {
    fault: "of two entries of the shared map the one that was heard last stays",
    file: "src/bucket/lww-map.ts",
    find: "    if (held !== undefined && !wins(entry, held)) return false;",
    replace: "",
    by: "laws",
  },
  {
    fault: "a later total replaces a greater one",
    file: "src/bucket/lww-map.ts",
    find: `  if (typeof left.value === "number" && typeof right.value === "number" && left.value !== right.value) {
    return left.value > right.value;
  }
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "debt is forgotten at a restart",
    file: "src/bucket/local.ts",
    find: "    this.level = Math.min(this.capacity, record.level);",
    replace: "    this.level = Math.min(this.capacity, Math.max(0, record.level));",
    by: "laws",
  },
  {
    fault: "the downtime of a restart refills twice",
    file: "src/bucket/local.ts",
    find: `    this.refill(nowMs);
    this.level -= record.block;`,
    replace: `    this.refill(nowMs);
    this.atMs = record.atMs;
    this.level -= record.block;`,
    by: "laws",
  },
  {
    fault: "a share below zero mints",
    file: "src/bucket/local.ts",
    find: "Math.min(WHOLE, Math.max(0, share - this.aheadParts)) / WHOLE",
    replace: "Math.min(WHOLE, Math.abs(share - this.aheadParts)) / WHOLE",
    by: "laws",
  },
  {
    fault: "a share that arrives is taken to be full",
    file: "src/bucket/local.ts",
    find: "else this.level = Math.min(this.level, capacity);",
    replace: "else this.level = Math.min(this.level + Math.max(0, capacity - this.capacity), capacity);",
    by: "laws",
  },
  {
    fault: "a take that found the second bucket short keeps what it took from the first",
    file: "src/fleet/replica.ts",
    find: `        this.#untake(buckets, costs, index);
`,
    replace: "",
    by: "reserve ahead",
  },
  {
    fault: "a wall clock set back over a boundary and forward again refills a calendar quota twice",
    file: "src/fleet/state.ts",
    find: "    else if (period > local.period) this.#enterPeriod(local, period);",
    replace: `    else if (period !== local.period) {
      local.period = Math.min(local.period, period - 1);
      this.#enterPeriod(local, period);
    }`,
    by: "reserve ahead",
  },
  {
    fault: "a giver goes on minting on what it gave until it next hears of its share",
    file: "src/fleet/giving.ts",
    find: `  state.publish(holding);
  state.reshare(holding);
  state.markDirty(holding);`,
    replace: `  state.publish(holding);
  state.markDirty(holding);`,
    by: "members",
  },
  {
    fault: "a give that could not be written is shown all the same",
    file: "src/fleet/journal.ts",
    find: `      if (isDurable) this.#show(holding);
      else this.#putBack(holding);`,
    replace: "      this.#show(holding);",
    by: "seeds",
  },
  {
    fault: "a block that could not be written is spent from all the same",
    file: "src/fleet/journal.ts",
    find: "      holding.local?.endRecord(isDurable);",
    replace: "      holding.local?.endRecord(true);",
    by: "reserve ahead",
  },
  {
    fault: "units are given to a replica that has fallen silent",
    file: "src/fleet/giving.ts",
    find: "!state.ledger.succession.has(member.id) && state.nowMs - member.heardMs < state.unreachableAfterMs",
    replace: "!state.ledger.succession.has(member.id)",
    by: "members",
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
    find: "    if (!hasAllAnswered && waitedMs < foundAfterMs) return;",
    replace: "    if (links.length > 1e9) return;",
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
    fault: "the younger of two fleets that meet goes on",
    file: "src/bucket/ledger.ts",
    find: "return left.stamp - right.stamp < 0 ||",
    replace: "return left.stamp - right.stamp > 0 ||",
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
    fault: "a new replica makes itself known under an id that is not on its disk",
    file: "src/fleet/replica.ts",
    find: "    if (state.durableId !== state.me.id) return [];\n",
    replace: "    state.durableId = state.me.id;\n",
    by: "members",
  },
  {
    fault: "who waits for a large request is entitled to parts that can't hold it",
    file: "src/bucket/entitlement.ts",
    find: "  return Math.max(cost, waiting, Number.MIN_VALUE);",
    replace: "  return Math.max(cost, Math.min(waiting, 0), Number.MIN_VALUE);",
    by: "laws",
  },
  {
    fault: "a calendar part whose period is not known is taken to be full",
    file: "src/fleet/crediting.ts",
    find: "(Math.min(parts, credit.partsOfEdge) / WHOLE)",
    replace: "(parts / WHOLE)",
    by: "reserve ahead",
  },
];
