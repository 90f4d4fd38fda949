// What is searched: for each kind of trouble a beginning close to it, the faults that may happen on the way, and how
// far to go. Three replicas and a bucket of three units that never come back, so what is admitted in all is what counts.
import type { Limit } from "../../../src/bucket/limit.ts";
import { type Budget, type Fleet, NO_BUDGET, NO_LETTERS, Steps } from "./fleet.ts";
import { Lives } from "./lives.ts";
import { type Name, NAMES } from "./process.ts";
import { Script } from "./script.ts";
import type { Situation } from "./search.ts";

const CAPACITY = 3;

const LIMITS = {
  continuous: {
    key: "p/requests",
    dimension: "requests",
    capacity: CAPACITY,
    // As good as never.
    refill: { kind: "continuous", unitsPerMs: 1e-30 },
  },
  refilling: {
    key: "p/requests",
    dimension: "requests",
    capacity: CAPACITY,
    refill: { kind: "continuous", unitsPerMs: 1 / 1000 },
  },
  held: { key: "p/concurrent", dimension: "concurrent", capacity: CAPACITY, refill: { kind: "held" } },
  calendar: {
    key: "p/requests/day",
    dimension: "requests",
    capacity: CAPACITY,
    refill: { kind: "calendar", period: "day", timezone: "UTC" },
  },
} as const satisfies Readonly<Record<string, Limit>>;

export interface Search {
  readonly begin: keyof typeof BEGINNINGS;
  readonly limit?: keyof typeof LIMITS;
  readonly costs?: readonly number[];
  readonly isQuick?: boolean;
  readonly active?: readonly Name[];
  readonly isAsking?: boolean;
  /** Who founds a fleet; by default `a` alone. */
  readonly founders?: readonly Name[];
  readonly areSharesSure?: boolean;
  readonly faults: Partial<Budget>;
  /** How far the tests go. */
  readonly depth: number;
}

const AB = ["a", "b"] as const;

/** Nobody is in line any more. */
function calm(script: Script): Script {
  for (const name of NAMES) script.move(name, { kind: "give up" });
  return script.meet();
}

const BEGINNINGS = {
  "nobody has met": (script) => script.flush(),
  /** Each has a whole bucket until they meet; `c` belongs to none. */
  "two have founded a fleet each": (script) => script.tick(1000).flush(),
  "all have met, the founder holds the whole": (script) => script.meet(),
  "the founder has given to one, the third is not there": (script) =>
    script.flush().exchange("b", "a").take("a").tick(1000).take("b").exchange("b", "a").flush(),
  "the founder was backed up and has spent everything since": (script) => {
    script.meet().move("a", { kind: "back up" });
    for (let units = 0; units < CAPACITY; units++) script.take("a").flush("a");
    return script;
  },
  "two wait for what the founder holds": (script) => script.meet().take("b").take("c"),
  "two wait for the last unit, which the founder holds": (script) =>
    script.meet().take("a").flush().take("a").flush().take("b").take("c"),
  /** `b` has it and has not written that yet. */
  "the last unit has arrived and is not written": (script) => {
    script.meet().take("a").flush().take("a").flush().take("b");
    return script.halfExchange("b", "a");
  },
  "each holds a unit": (script) => {
    script.meet().take("a").tick(1000).take("b").take("c").exchange("b", "a").exchange("c", "a");
    return calm(script.move("a", { kind: "give back" }));
  },
  "one waits for a second give of who gave before": (script) => {
    script.meet().take("a").tick(1000).take("b").exchange("b", "a").take("b");
    return script.move("a", { kind: "give back" }).tick(6000).take("a").flush().take("b");
  },
  "the founder's requests hold two, one waits": (script) =>
    script.meet().take("a").flush().take("a").flush().take("b"),
} as const satisfies Readonly<Record<string, (script: Script) => Script>>;

export const SEARCHES: readonly Search[] = [
  { begin: "nobody has met", faults: { crash: 1, tick: 1 }, depth: 5 },
  { begin: "all have met, the founder holds the whole", faults: { crash: 1 }, depth: 6 },
  { begin: "two wait for what the founder holds", faults: { crash: 1, late: 1 }, depth: 5 },
  // Who is only silent keeps what it holds.
  { begin: "two wait for what the founder holds", faults: { silence: 1, crash: 1 }, depth: 5 },
  { begin: "two wait for what the founder holds", faults: { fail: 2, crash: 1 }, active: AB, depth: 7 },
  {
    begin: "two wait for the last unit, which the founder holds",
    faults: { crash: 1, late: 1 },
    isQuick: true,
    depth: 4,
  },
  {
    begin: "two wait for the last unit, which the founder holds",
    faults: { crash: 2, late: 1 },
    active: AB,
    depth: 7,
  },
  {
    begin: "the last unit has arrived and is not written",
    faults: { crash: 2, late: 1 },
    active: AB,
    isQuick: true,
    depth: 6,
  },
  {
    begin: "the founder's requests hold two, one waits",
    faults: { giveBack: 2, crash: 1 },
    active: AB,
    isQuick: true,
    depth: 6,
  },
  {
    begin: "the founder's requests hold two, one waits",
    limit: "held",
    faults: { giveBack: 2, crash: 1, late: 1 },
    active: AB,
    isQuick: true,
    depth: 6,
  },
  {
    begin: "one waits for a second give of who gave before",
    faults: { crash: 1, late: 1 },
    active: AB,
    depth: 7,
  },
  { begin: "each holds a unit", faults: { crash: 1, giveUp: 1 }, costs: [1, 2], isQuick: true, depth: 4 },
  {
    begin: "each holds a unit",
    limit: "calendar",
    faults: { clock: 2, crash: 1 },
    active: AB,
    isQuick: true,
    depth: 5,
  },
  {
    begin: "each holds a unit",
    faults: { leave: 1, tick: 2, crash: 1 },
    isQuick: true,
    depth: 4,
  },
  { begin: "each holds a unit", faults: { leave: 2, tick: 1 }, isQuick: true, depth: 4 },
  {
    begin: "each holds a unit",
    faults: { evict: 1, tick: 1 },
    areSharesSure: false,
    isQuick: true,
    depth: 4,
  },
  {
    begin: "all have met, the founder holds the whole",
    faults: { restore: 1 },
    isAsking: true,
    active: AB,
    isQuick: true,
    depth: 7,
  },
  {
    begin: "two have founded a fleet each",
    faults: { crash: 1 },
    founders: AB,
    areSharesSure: false,
    isQuick: true,
    depth: 4,
  },
  {
    begin: "each holds a unit",
    limit: "refilling",
    faults: { time: 2, crash: 1 },
    isQuick: true,
    depth: 4,
  },
  {
    begin: "two wait for what the founder holds",
    limit: "refilling",
    faults: { time: 2, late: 1 },
    active: AB,
    depth: 6,
  },
  {
    begin: "the founder was backed up and has spent everything since",
    faults: { setBack: 1, tick: 1 },
    isAsking: true,
    active: AB,
    isQuick: true,
    depth: 5,
  },
  {
    begin: "the founder has given to one, the third is not there",
    faults: { copy: 1, crash: 1 },
    isAsking: true,
    areSharesSure: false,
    active: ["b", "c"],
    isQuick: true,
    depth: 5,
  },
];

/** What is searched, for people. */
export function nameOf({ begin, limit, faults, active, costs, isQuick }: Search): string {
  const words = Object.entries(faults).map(([fault, times]) => `${fault} ${times}`);
  if (limit !== undefined) words.unshift(limit);
  if (active !== undefined) words.push(`only ${active.join(" and ")}`);
  if (costs !== undefined) words.push(`requests of ${costs.join(" and ")}`);
  if (isQuick === true) words.push("requests arrive at once");
  return `${begin}: ${words.join(", ")}`;
}

/** The fleet that a search begins with. */
export function situationOf({
  limit = "continuous",
  costs = [1],
  isQuick = false,
  active = NAMES,
  ...search
}: Search): Situation {
  const lives = new Lives();
  const steps = new Steps(lives, { costs, isQuick, active });
  const roots = NAMES.map((name) =>
    lives.start({
      name,
      limit: LIMITS[limit],
      isFounding: (search.founders ?? ["a"]).includes(name),
      isAsking: search.isAsking ?? false,
      starts: 0,
      days: 0,
      disk: new Map(),
      backup: null,
      isRestored: false,
    }),
  );
  const budget = { ...NO_BUDGET, ...search.faults };
  const nothing: Fleet = {
    lives: roots,
    letters: NO_LETTERS,
    late: null,
    used: new Map(),

    forgiven: 0,
    budget,
  };
  const script = new Script(steps, nothing);
  BEGINNINGS[search.begin](script);
  const { areSharesSure = true, founders = ["a"] } = search;
  return { lives, steps, begin: script.fleet, areSharesSure, fleets: founders.length };
}
