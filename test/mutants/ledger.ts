// Faults in what is replicated: rows and their merge, shares, succession, entitlements.
import type { Mutant } from "./suites.ts";

export const LEDGER: readonly Mutant[] = [
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
    fault: "of two claims the one that was heard first wins",
    file: "src/bucket/succession.ts",
    find: "  const all = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));",
    replace: "  const all = [...members];",
    by: "laws",
  },
  {
    fault: "a claim counts before as much is known of its victim as the claimant knew",
    file: "src/bucket/succession.ts",
    find: "      if (compareStamps(stamps.get(victim) ?? NEVER, known) < 0) continue;\n",
    replace: "",
    by: "laws",
  },
  {
    fault: "a claim that waits for its victim's rows goes on waiting when they have come",
    file: "src/bucket/ledger.ts",
    find: "    if (this.#awaited.has(member.id)) this.#succeed();\n",
    replace: "",
    by: "laws",
  },
  {
    fault: "rows are taken over by a leaver's word only when all have heard of a claim that can't count",
    file: "src/fleet/farewell.ts",
    find: "isNamed(gone, ledger.members.values()) ? null : claimantOf(state, gone)",
    replace: "claimantOf(state, gone)",
    by: "one replica",
  },
  {
    fault: "a claim is acknowledged by one that can't go by it yet",
    file: "src/fleet/farewell.ts",
    find: "    if (!canJudge(state, member)) continue;\n",
    replace: "",
    by: "one replica",
  },
  {
    fault: "two starts of copies of one disk, under clocks that are set back, draw the same boot",
    file: "src/fleet/replica.ts",
    find: "Number.parseInt(newId.slice(0, 8), 16) % BOOTS_PER_MS",
    replace: "0",
    by: "members",
  },
  {
    fault: "a profile that has changed is said to be known",
    file: "src/bucket/sections.ts",
    find: "compareStamps(author.profileStamp, from) <= 0",
    replace: "from.boot > 0",
    by: "laws",
  },
  {
    fault: "farewells are left out for one that has not said that it knows them",
    file: "src/fleet/exchange.ts",
    find: "told.length > 0 && this.serials.get(peer)?.carriedOut === carriedOut ? null : told",
    replace: "told.length > 0 && this.serials.has(peer) ? null : told",
    by: "members",
  },
  {
    fault: "what goes by what this replica said before it was started anew is taken",
    file: "src/fleet/exchange.ts",
    find: "receiver?.id === me.id && receiver.boot === me.boot && isKnown",
    replace: "receiver?.id === me.id && isKnown",
    by: "messages",
  },
  {
    fault: "what goes by what this replica has forgotten since is taken",
    file: "src/fleet/exchange.ts",
    find: "receiver?.id === me.id && receiver.boot === me.boot && isKnown",
    replace: "receiver?.id === me.id && receiver.boot === me.boot",
    by: "messages",
  },
  {
    fault: "the claim of the higher id wins",
    file: "src/bucket/succession.ts",
    find: "  const all = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));",
    replace: "  const all = [...members].sort((left, right) => (left.id > right.id ? -1 : 1));",
    by: "laws",
  },
  {
    fault: "the younger of two fleets that meet goes on",
    file: "src/bucket/ledger.ts",
    find: "return left.stamp - right.stamp < 0 ||",
    replace: "return left.stamp - right.stamp > 0 ||",
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
    fault: "a claim comes before a leaver's own word",
    file: "src/bucket/succession.ts",
    find: "else list.push(claimant.id);",
    replace: "else list.unshift(claimant.id);",
    by: "laws",
  },
  {
    fault: "who is owed stands in line with those who wait",
    file: "src/bucket/entitlement.ts",
    find: `        Number(right.share < 0) - Number(left.share < 0) ||
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "a receiver that a later row no longer names keeps what it was given",
    file: "src/bucket/ledger.ts",
    find: `    add(author, edge.parts);
    add(receiver, -edge.parts);
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "rows that give less than those before are taken",
    file: "src/bucket/ledger.ts",
    find: `    if (this.#isSetBack(section)) return "set back";
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "one whose rows were taken over is heard again",
    file: "src/bucket/ledger.ts",
    find: `    if (author.farewell !== null) return "dominated";
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "a profile comes before the last of the rows that it goes with",
    file: "src/bucket/sections.ts",
    find: "return { author: author.id, from, to, entries, profile: null };",
    replace:
      "return { author: author.id, from, to, entries, profile: { stamp: author.profileStamp, profile: author.profile } };",
    by: "laws",
  },
];
