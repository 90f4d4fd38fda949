// Faults that one could be tempted by, as changes to the source. The suite has to fail for each of them, or it would
// not notice the fault either. `npm run mutants` plants them one by one, and tells what noticed each.
import { DISKS } from "./disks.ts";
import { HOLDINGS } from "./holdings.ts";
import { LEDGER } from "./ledger.ts";
import { MEMBERS } from "./members.ts";
import { RETURNS } from "./returns.ts";
import { SIGHTS } from "./sights.ts";
import type { Mutant } from "./suites.ts";
import { VALUES } from "./values.ts";

export const MUTANTS: readonly Mutant[] = [
  ...VALUES,
  ...LEDGER,
  ...HOLDINGS,
  ...DISKS,
  ...MEMBERS,
  ...RETURNS,
  ...SIGHTS,
];
