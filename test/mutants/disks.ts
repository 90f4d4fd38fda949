// Planted faults about disks that went back in time or were copied.
import type { Mutant } from "./suites.ts";

export const DISKS: readonly Mutant[] = [
  {
    fault: "a copied disk's two processes both go on",
    file: "src/fleet/exchange.ts",
    find: "    if (boot > state.me.boot) supersede(state, boot);",
    replace: "",
    by: "members",
  },
  {
    fault: "the process that stops does not tell the other what it has spent since the disk was copied",
    file: "src/fleet/exchange.ts",
    find: "section.author === from && boot < state.me.boot",
    replace: "section.author === from && boot === state.me.boot",
    by: "members",
  },
  {
    fault: "a disk set back is believed when the first start from it was killed",
    file: "src/fleet/exchange.ts",
    find: "if (state.isRecovering) vector.set(me.id, state.passedBack.get(peer) ?? NEVER);",
    replace:
      "if (state.isRecovering && me.boot === 0) vector.set(me.id, state.passedBack.get(peer) ?? NEVER);",
    by: "members",
  },
  {
    fault: "one sibling speaks for the others about what this replica said before it was started",
    file: "src/fleet/exchange.ts",
    find: "if (state.isRecovering) vector.set(me.id, state.passedBack.get(peer) ?? NEVER);",
    replace:
      "if (state.isRecovering) vector.set(me.id, state.passedBack.get(peer) ?? [...state.passedBack.values()][0] ?? NEVER);",
    by: "members",
  },
  {
    fault: "nobody tells one that starts under an earlier boot that it is taken for a repeated one",
    file: "src/fleet/exchange.ts",
    find: "return boot === undefined ? null : { id: peer, boot };",
    replace: "return boot === 0 ? { id: peer, boot } : null;",
    by: "members",
  },
  {
    fault: "who asks what it said itself answers others with nothing",
    file: "src/fleet/exchange.ts",
    find: "    if (durableId !== me.id || ledger.lineage === null || !isAcquainted(this.#state)) return null;",
    replace:
      "    if (durableId !== me.id || ledger.lineage === null || !isAcquainted(this.#state) || this.#state.isRecovering) return null;",
    by: "members",
  },
  {
    fault: "gives to a sibling that the old disk does not know are forgotten",
    file: "src/fleet/recovery.ts",
    find: "  for (const [receiver, edge] of theirs) {",
    replace: "  for (const [receiver, edge] of theirs) {\n    if (!ours.has(receiver)) continue;",
    by: "members",
  },
  {
    fault: "a boot that was drawn twice is taken for one's own",
    file: "src/fleet/recovery.ts",
    find: " || (isRecovering && boot === me.boot && version > 0)",
    replace: " && version >= 0",
    by: "members",
  },
  {
    fault: "a copy of a disk from before it joined asks nobody",
    file: "src/fleet/membership.ts",
    find: 'state.isRecovering = options.hasPeers && state.durableId !== "";',
    replace:
      'state.isRecovering = options.hasPeers && state.durableId !== "" && state.ledger.lineage !== null;',
    by: "members",
  },
  {
    fault: "units are credited by what was known before a message told that the disk was set back",
    file: "src/fleet/merging.ts",
    find: `  for (const section of message.sections) {
    if (section.author === state.me.id) heed(state, section, message);
  }
  for (const section of message.sections) {
    if (section.author === state.me.id) continue;
    rows += mergeSection(state, section, taken, credits);
    noteLife(state, section.author, message.sender);
  }
`,
    replace: `  for (const section of message.sections) {
    if (section.author === state.me.id) continue;
    rows += mergeSection(state, section, taken, credits);
    noteLife(state, section.author, message.sender);
  }
  for (const section of message.sections) {
    if (section.author === state.me.id) heed(state, section, message);
  }
`,
    by: "one replica",
  },
  {
    fault: "one that is superseded goes on telling its siblings",
    file: "src/fleet/exchange.ts",
    find: "    if (supersededByBoot > 0 && peer !== me.id) return null;\n",
    replace: "    if (supersededByBoot > Infinity) return null;\n",
    by: "one replica",
  },
  {
    fault: "one that is superseded goes on publishing notices",
    file: "src/fleet/exchange.ts",
    find: "durableId !== me.id || supersededByBoot > 0 || !isAcquainted",
    replace: "durableId !== me.id || supersededByBoot > Infinity || !isAcquainted",
    by: "one replica",
  },
  {
    fault: "one that is superseded goes on admitting",
    file: "src/fleet/renewal.ts",
    find: `  state.supersededByBoot = boot;
  state.isAdmitting = false;
`,
    replace: "  state.supersededByBoot = boot;\n",
    by: "members",
  },
  {
    fault: "one that was superseded while it asked its siblings serves when they have answered",
    file: "src/fleet/membership.ts",
    find: "state.isAdmitting = state.supersededByBoot === 0;",
    replace: "state.isAdmitting = true;",
    by: "one replica",
  },
  {
    fault: "one whose disk fails asks for units",
    file: "src/fleet/state.ts",
    find: "const isInNeed = this.isAdmitting && !this.isDiskFailing;",
    replace: "const isInNeed = this.isAdmitting;",
    by: "one replica",
  },
  {
    fault: "one whose disk fails shows demand, and is left units by one that leaves",
    file: "src/fleet/state.ts",
    find: "this.isDiskFailing ? 0 : Math.fround(holding.demand)",
    replace: "Math.fround(holding.demand)",
    by: "one replica",
  },
  {
    fault: "one whose disk fails hides what it shows behind gives that it can't write",
    file: "src/fleet/merging.ts",
    find: "!state.isAdmitting || state.isDiskFailing",
    replace: "!state.isAdmitting",
    by: "one replica",
  },
  {
    fault: "one whose disk fails, or works again, says so only with the next tick",
    file: "src/fleet/journal.ts",
    find: "    for (const holding of state.waiting) show(state, holding);\n",
    replace: "",
    by: "one replica",
  },
];
