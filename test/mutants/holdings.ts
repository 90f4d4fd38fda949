// Faults in one replica's shell round the core: giving and crediting, the disk, exchanges, boots, pauses.
import type { Mutant } from "./suites.ts";

export const HOLDINGS: readonly Mutant[] = [
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
    by: "small model",
  },
  {
    fault: "a give moves parts, and its units stay with the giver as well",
    file: "src/fleet/giving.ts",
    find: "local.level -= units / MILLI;",
    replace: "local.level -= 0;",
    by: "members",
  },
  {
    fault: "the downtime of a restart is measured by the faster clock",
    file: "src/fleet/journal.ts",
    find: "Math.min(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs)",
    replace: "Math.max(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs)",
    by: "one replica",
  },
  {
    fault: "another machine boot's clock is taken for ours",
    file: "src/fleet/journal.ts",
    find: '  if (then.bootId !== now.bootId || then.bootId === "") return 0;',
    replace: "",
    by: "one replica",
  },
  {
    fault: "a restored disk credits again what it had credited before",
    file: "src/fleet/crediting.ts",
    find: "  if (edge.boot < soundSince || edge.boot > boot) return 0;",
    replace: "",
    by: "one replica",
  },
  {
    fault: "a take that found the second bucket short keeps what it took from the first",
    file: "src/fleet/replica.ts",
    find: `        this.#untake(buckets, costs, index);
`,
    replace: "",
    by: "one replica",
  },
  {
    fault: "a wall clock set back over a boundary and forward again refills a calendar quota twice",
    file: "src/fleet/state.ts",
    find: "    else if (period > local.period) this.#enterPeriod(local, period);",
    replace: `    else if (period !== local.period) {
      local.period = Math.min(local.period, period - 1);
      this.#enterPeriod(local, period);
    }`,
    by: "one replica",
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
    by: "one replica",
  },
  {
    fault: "a block that could not be written is spent from all the same",
    file: "src/fleet/journal.ts",
    find: "holding.local?.endRecord(isDurable);",
    replace: "holding.local?.endRecord(true);",
    by: "one replica",
  },
  {
    fault: "a line is reserved for whole, however little was spent, and a kill burns it",
    file: "src/bucket/local.ts",
    find: "base + LINE_GROWTH * recent",
    replace: "Infinity",
    by: "laws",
  },
  {
    fault: "a block holds all that was spent in the last half second",
    file: "src/bucket/local.ts",
    find: "floor + recent * (this.aheadMs / RECENT_MS)",
    replace: "floor + recent",
    by: "laws",
  },
  {
    fault: "units are given to a replica that has fallen silent",
    file: "src/fleet/giving.ts",
    find: "!state.ledger.succession.has(member.id) && state.nowMs - member.heardMs < state.unreachableAfterMs",
    replace: "!state.ledger.succession.has(member.id)",
    by: "members",
  },
  {
    fault: "a new replica makes itself known under an id that is not on its disk",
    file: "src/fleet/replica.ts",
    find: `    if (state.durableId !== state.me.id) return [];
`,
    replace: `    state.durableId = state.me.id;
`,
    by: "members",
  },
  {
    fault: "a calendar part whose period is not known is taken to be full",
    file: "src/fleet/crediting.ts",
    find: "(Math.min(parts, credit.partsOfEdge) / WHOLE)",
    replace: "(parts / WHOLE)",
    by: "one replica",
  },
  {
    fault: "units of one period go on the edge of the one before",
    file: "src/fleet/giving.ts",
    find: "before.boot !== boot || before.period !== period",
    replace: "before.boot !== boot",
    by: "one replica",
  },
  {
    fault: "an edge that was begun afresh is taken for the one that is known",
    file: "src/fleet/crediting.ts",
    find: " && known.partsBefore === edge.partsBefore",
    replace: "",
    by: "one replica",
  },
  {
    fault: "a restored disk refills its calendar quotas for the present period",
    file: "src/fleet/renewal.ts",
    find: `        period: -1,
`,
    replace: "",
    by: "one replica",
  },
  {
    fault: "a sibling counts a pause from when it hears of it",
    file: "src/cli/wiring/fleet-pauses.ts",
    find: "const leftMs = Math.min(pauseMs, SHARED_MS_MAX) - ageMs;",
    replace: "const leftMs = Math.min(pauseMs, SHARED_MS_MAX);",
    by: "messages",
  },
  {
    fault: "a provider holds back the fleet for as long as it likes",
    file: "src/cli/wiring/fleet-pauses.ts",
    find: "const leftMs = Math.min(pauseMs, SHARED_MS_MAX) - ageMs;",
    replace: "const leftMs = pauseMs - ageMs;",
    by: "messages",
  },
  {
    fault: "a shorter pause ends a longer one",
    file: "src/limiter/limiter.ts",
    find: "pause.untilMs = Math.max(pause.untilMs, untilMs);",
    replace: "pause.untilMs = untilMs;",
    by: "messages",
  },
  {
    fault: "a level on disk is read on the clock of the process before",
    file: "src/fleet/journal.ts",
    find: "atMs: record.level.atMs - offsetMs }",
    replace: "atMs: record.level.atMs }",
    by: "one replica",
  },
  {
    fault: "a boot follows the wall clock alone, which may be set back",
    file: "src/fleet/replica.ts",
    find: "Math.max(storedBoot + 1, Math.floor(wallMs) * BOOTS_PER_MS)",
    replace: "Math.floor(wallMs) * BOOTS_PER_MS",
    by: "one replica",
  },
  {
    fault: "boots are counted, so copies of one disk draw the same",
    file: "src/fleet/replica.ts",
    find: "Math.max(storedBoot + 1, Math.floor(wallMs) * BOOTS_PER_MS) + drawn",
    replace: "storedBoot + 1",
    by: "one replica",
  },
  {
    fault: "units for a receiver that was started anew go on the edge of its life before",
    file: "src/fleet/giving.ts",
    find: "before.boot !== boot || before.period !== period",
    replace: "before.period !== period",
    by: "one replica",
  },
  {
    fault: "a burnt replica finds buckets full that it had not opened",
    file: "src/fleet/state.ts",
    find: "isFounders && !this.isBurnt && !hasSpending(holding)",
    replace: "isFounders && !hasSpending(holding)",
    by: "one replica",
  },
  {
    fault: "a member counts as saved while rows of its are not",
    file: "src/fleet/journal.ts",
    find: "if (this.#state.unsaved.size === 0) {",
    replace: "if (this.#state.unsaved.size >= 0) {",
    by: "one replica",
  },
  {
    fault: "a give that has become durable is not said again",
    file: "src/fleet/journal.ts",
    find: `      state.publish(holding);
      if (!holding.isStaged) {`,
    replace: "      if (!holding.isStaged) {",
    by: "members",
  },
  {
    fault: "a row that could not be deleted stays on disk",
    file: "src/fleet/journal.ts",
    find: "for (const author of holding.writingRows) holding.dirtyRows.add(author);",
    replace: "for (const author of holding.rows.entries.keys()) holding.dirtyRows.add(author);",
    by: "one replica",
  },
  {
    fault: "what must be durable at once is written by halves after a write that failed",
    file: "src/fleet/journal.ts",
    find: "    this.#state.isStartingOver ||= this.#isFlushingAll;\n",
    replace: "",
    by: "one replica",
  },
  {
    fault: "debt stays behind with one that gives its share away",
    file: "src/fleet/giving.ts",
    find: "if (local.level < 0) return -Math.ceil(-local.level * MILLI * Math.min(1, parts / local.share));",
    replace: "if (local.level < 0) return 0;",
    by: "one replica",
  },
  {
    fault: "running requests' parts are given away under them",
    file: "src/fleet/giving.ts",
    find: "return Math.max(0, Math.floor((local.level / local.limit.capacity) * WHOLE));",
    replace: "return share;",
    by: "small model",
  },
  {
    fault: "a message from before its sender began again is taken",
    file: "src/fleet/exchange.ts",
    find: "if (message.boot < (this.serials.get(message.sender)?.boot ?? 0))",
    replace: "if (Number.isNaN(message.boot))",
    by: "messages",
  },
  {
    fault: "who lacks places of running requests does not see those that siblings have idle",
    file: "src/limiter/forecast.ts",
    find: "const idle = Math.max(0, quota.room(bucket, now).fleetLevel);",
    replace: "const idle = 0;",
    by: "messages",
  },
  {
    fault: "a replica that was closed writes what siblings bring in the last moment",
    file: "src/fleet/shell.ts",
    find: `    if (this.#isClosed) throw new GatewayError("storage_unavailable", "The replica is closed.");
`,
    replace: "",
    by: "one replica",
  },
  {
    fault: "a replica is closed while its last write is under way, and writes once more behind it",
    file: "src/fleet/shell.ts",
    find: `    await this.courier.close();
    if (this.#writing !== null) await this.#writing.catch(() => undefined);
`,
    replace: `    await this.courier.close();
`,
    by: "one replica",
  },
  {
    fault: "a message that is repeated is taken again",
    file: "src/fleet/exchange.ts",
    find: `    if (serials.seen.has(serial)) return true;
`,
    replace: "",
    by: "messages",
  },
  {
    fault: "rows from before what everybody has forgotten are taken",
    file: "src/fleet/exchange.ts",
    find: "return (sections.length > 0 || farewells.length > 0) && era < ledger.forgotten;",
    replace: "return false;",
    by: "one replica",
  },
  {
    fault: "one whom everybody has forgotten goes on as before",
    file: "src/fleet/exchange.ts",
    find: "if (this.#isGone(message)) {",
    replace: "if (this.#isGone(message) && message.era < 0) {",
    by: "members",
  },
];
