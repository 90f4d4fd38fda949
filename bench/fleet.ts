// What the fleet costs, as the tables of docs/COST.md: traffic, CPU, waiting for a sibling's units, recovery, memory,
// many buckets, replicas that are gone. Takes about three minutes. `npm run bench:fleet`
import { loadavg } from "node:os";
import { limitsOf } from "./fleet/lab.ts";
import { measureGone, measureMany, measureMemory } from "./fleet/scale.ts";
import { measureTraffic } from "./fleet/traffic.ts";
import { measureRecovery } from "./fleet/recovery.ts";
import { measureCommit, measureWait } from "./fleet/waiting.ts";

const MANY = 10_000;

function table(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [columns, columns.map((_, index) => (index === 0 ? "---" : "---:")), ...rows];
  for (const cells of lines) console.log(`| ${cells.join(" | ")} |`);
  console.log("");
}

function amount(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

async function traffic(): Promise<void> {
  const rows: string[][] = [];
  for (const [replicas, buckets] of [
    [3, 10],
    [10, 10],
    [30, 10],
    [10, 30],
  ] as const) {
    for (const rate of [0, 10]) {
      const measured = await measureTraffic(replicas, buckets, rate);
      rows.push([
        `${replicas} replicas, ${buckets} buckets, ${rate === 0 ? "idle" : `${rate} takes/s on each`}`,
        amount(measured.messagesPerSecond),
        amount(measured.bytesPerSecond / 1000),
        amount(measured.cpuPercent),
      ]);
    }
  }
  table(["per replica", "messages/s", "kB/s", "% of a core"], rows);
}

async function waiting(): Promise<void> {
  const rows: string[][] = [];
  const add = (what: string, { p50Ms, p99Ms }: { readonly p50Ms: number; readonly p99Ms: number }): void => {
    rows.push([what, amount(p50Ms), amount(p99Ms)]);
  };
  add("a durable commit alone", await measureCommit());
  add("units from a sibling, 2 replicas, stores in memory", await measureWait(2, "memory"));
  add("units from a sibling, 2 replicas, LMDB", await measureWait(2, "lmdb"));
  add("units from a sibling, 10 replicas, LMDB", await measureWait(10, "lmdb"));
  table(["a request waits for", "p50 ms", "p99 ms"], rows);
}

async function recovery(): Promise<void> {
  const rows = await measureRecovery();
  const cell = (ms: number | null): string => (ms === null ? "" : amount(ms));
  table(
    ["a third of the quota is lost; ms until", "it is held again", "the full rate is admitted"],
    rows.map(([what, heldMs, admittingMs]) => [what, cell(heldMs), cell(admittingMs)]),
  );
}

async function scale(): Promise<void> {
  const { bucketBytes, rowBytes } = await measureMemory(limitsOf(MANY));
  const many = await measureMany(MANY);
  table(
    ["many buckets", ""],
    [
      ["heap per bucket, bytes", amount(bucketBytes)],
      ["heap per sibling's row in it, bytes", amount(rowBytes)],
      [`writing ${MANY} buckets to LMDB, ms`, amount(many.flushMs)],
      [`telling ${MANY} buckets to a newcomer over HTTP, ms`, amount(many.joinMs)],
      ["… kB", amount(many.joinBytes / 1000)],
      ["… longest piece of work of the one that tells, ms of CPU", amount(many.giverStepMs)],
      ["… and of the newcomer, ms of CPU", amount(many.newcomerStepMs)],
    ],
  );
}

async function gone(): Promise<void> {
  const rows = (await measureGone(1000)).map((measured) => [
    `${measured.gone} replicas have come and gone`,
    amount(measured.bytesPerSecond / 1000),
    amount(measured.tickMicros),
    amount(measured.storeEntries),
    amount(measured.heapBytes / 1e6),
  ]);
  table(["two replicas, 3 buckets, idle", "kB/s", "µs per tick", "entries on disk", "heap MB"], rows);
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = { traffic, waiting, recovery, scale, gone };
const asked = process.argv.slice(2);
console.log(`Load of the machine before: ${amount(loadavg()[0] ?? 0)}.\n`);
for (const [name, measure] of Object.entries(PARTS)) {
  if (asked.length === 0 || asked.includes(name)) await measure();
}
