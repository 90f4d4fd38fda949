// Faults that one could be tempted by, as changes to the source. The suite has to fail for each of them, or it would
// not notice the fault either. `npm run mutants` plants them one by one.

export interface Mutant {
  /** What is wrong with it. */
  readonly fault: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    fault: "a give is added to its receiver and not subtracted from its giver",
    file: "src/bucket/ledger.ts",
    find: "    add(author, -moved);",
    replace: "",
  },
  {
    fault: "merging adds up what two versions of a row gave, instead of keeping the later",
    file: "src/bucket/ledger.ts",
    find: "    const moved = difference(edge.parts, before?.given.get(receiver)?.parts ?? 0);",
    replace: "    const moved = edge.parts;",
  },
  {
    fault: "units that were credited are credited again with each new row",
    file: "src/fleet/crediting.ts",
    find: "return difference(edge.units, isSame ? known.units : 0);",
    replace: "return difference(edge.units, isSame ? 0 : 0);",
  },
  {
    fault: "a give is shown before it is durable",
    file: "src/fleet/holding.ts",
    find: "return this.isStaged || this.isFlushing;",
    replace: "return false;",
  },
  {
    fault: "a give moves parts, and its units stay with the giver as well",
    file: "src/fleet/giving.ts",
    find: "local.level -= units / MILLI;",
    replace: "local.level -= 0;",
  },
  {
    fault: "refill follows the wall clock after a step",
    file: "src/clock.ts",
    find: "const advance = Math.min(",
    replace: "const advance = Math.max(",
  },
  {
    fault: "the downtime of a restart is measured by the faster clock",
    file: "src/fleet/journal.ts",
    find: "Math.min(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs)",
    replace: "Math.max(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs)",
  },
  {
    fault: "another machine boot's clock is taken for ours",
    file: "src/fleet/journal.ts",
    find: '  if (then.bootId !== now.bootId || then.bootId === "") return 0;',
    replace: "",
  },
  {
    fault: "a restart gets back the block that was reserved ahead",
    file: "src/bucket/local.ts",
    find: "    this.level -= record.block;",
    replace: "",
  },
  {
    fault: "units are handed out that no block on disk covers",
    file: "src/bucket/local.ts",
    find: "|| this.allowance < cost || this.allowanceNext < cost) return false;",
    replace: "|| this.allowanceNext < cost) return false;",
  },
  {
    fault: "while a record is being written only the older one binds",
    file: "src/bucket/local.ts",
    find: "|| this.allowance < cost || this.allowanceNext < cost) return false;",
    replace: "|| this.allowance < cost) return false;",
  },
  {
    fault: "what is given back fills a level above its capacity",
    file: "src/bucket/local.ts",
    find: "this.level = Math.min(this.capacity, this.level + amount);",
    replace: "this.level += amount;",
  },
  {
    fault: "what is given back enlarges the block",
    file: "src/bucket/local.ts",
    find: "this.allowance = Math.min(this.block, this.allowance + amount);",
    replace: "this.allowance += amount;",
  },
  {
    fault: "a level stays above the capacity of a share that has shrunk",
    file: "src/bucket/local.ts",
    find: "else this.level = Math.min(this.level, capacity);",
    replace: "",
  },
  {
    fault: "refill does not stop at the capacity",
    file: "src/bucket/local.ts",
    find: "this.level = level > this.capacity ? this.capacity : level;",
    replace: "this.level = level;",
  },
  {
    fault: "what a gone replica gave is dropped with its rows",
    file: "src/fleet/farewell.ts",
    find: "if (holder !== me.id) given.set(holder, joined(given.get(holder), edge));",
    replace: "",
  },
  {
    fault: "a farewell is told of after the rows that it goes with",
    file: "src/fleet/merging.ts",
    find: "  for (const farewell of message.farewells) carryOut(state, farewell);\n",
    replace: "",
  },
  {
    fault: "a leaver gives away what its running requests hold",
    file: "src/fleet/leaving.ts",
    find: 'local.limit.refill.kind === "held" ? givableParts(local, share) : share;',
    replace: "share;",
  },
  {
    fault: "who is gone gives on to itself: what others gave to it moves nobody's share",
    file: "src/fleet/merging.ts",
    find: "state.ledger.succession.size > 0 ? [...touched]",
    replace: "state.ledger.succession.size > 1e9 ? [...touched]",
  },
  {
    fault: "parts set apart for a later calendar period are handed over as parts of this one",
    file: "src/fleet/leaving.ts",
    find: "if (local.aheadPeriod !== -1) handOverAhead(state, local, heir);",
    replace: "",
  },
  {
    fault: "just after a calendar boundary units are taken that the disk would refill again",
    file: "src/bucket/local.ts",
    find: "    this.allowance = 0;\n    this.block = 0;\n",
    replace: "",
  },
  {
    fault: "a restored disk credits again what it had credited before",
    file: "src/fleet/crediting.ts",
    find: "  if (edge.boot < soundSince || edge.boot > boot) return 0;",
    replace: "",
  },
];
