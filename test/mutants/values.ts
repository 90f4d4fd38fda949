// Faults in the bucket's parts that know of nobody else: levels and blocks, calendars, clocks, bytes, the shared map.
import type { Mutant } from "./suites.ts";

export const VALUES: readonly Mutant[] = [
  {
    fault: "refill follows the wall clock after a step",
    file: "src/clock.ts",
    find: "const advance = Math.min(",
    replace: "const advance = Math.max(",
    by: "laws",
  },
  {
    fault: "a restart gets back the block that was reserved ahead",
    file: "src/bucket/local.ts",
    find: "    this.level -= record.block;",
    replace: "",
    by: "one replica",
  },
  {
    fault: "units are handed out that no block on disk covers",
    file: "src/bucket/local.ts",
    find: "|| this.allowance < cost || this.allowanceNext < cost) return false;",
    replace: "|| this.allowanceNext < cost) return false;",
    by: "one replica",
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
    by: "one replica",
  },
  {
    fault: "what is given back enlarges the block",
    file: "src/bucket/local.ts",
    find: "this.allowance = Math.min(this.block, this.allowance + amount);",
    replace: "this.allowance += amount;",
    by: "one replica",
  },
  {
    fault: "a level stays above the capacity of a share that has shrunk",
    file: "src/bucket/local.ts",
    find: "else this.level = Math.min(this.level, capacity);",
    replace: "",
    by: "laws",
  },
  {
    fault: "refill does not stop at the capacity",
    file: "src/bucket/local.ts",
    find: "this.level = level > this.capacity ? this.capacity : level;",
    replace: "this.level = level;",
    by: "one replica",
  },
  {
    fault: "just after a calendar boundary units are taken that the disk would refill again",
    file: "src/bucket/local.ts",
    find: `    this.allowance = 0;
    this.block = 0;
`,
    replace: "",
    by: "one replica",
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
    fault: "a frame of a later format is read as if it were one of ours",
    file: "src/bucket/codec.ts",
    find: "    if (this.version < 1 || this.version > versionMax) {",
    replace: "    if (this.version < 1) {",
    by: "laws",
  },
  {
    fault: "what is left over after a frame is not noticed",
    file: "src/bucket/codec.ts",
    find: '    if (this.#offset !== this.#end) throw new Malformed("a frame has bytes left over");',
    replace: "",
    by: "laws",
  },
  {
    fault: "a count is believed that the frame has no room for",
    file: "src/bucket/codec.ts",
    find: `    if (count * sizeMin > this.#end - this.#offset) throw new Malformed("a count is larger than the frame");
`,
    replace: "",
    by: "laws",
  },
  {
    fault: "an edition that is not known yet is read back as a number",
    file: "src/bucket/record.ts",
    find: "edition: edition === 0 ? Infinity : edition - 1 };",
    replace: "edition: edition - 1 };",
    by: "laws",
  },
  {
    fault: "a calendar period is read back as the one after it",
    file: "src/bucket/record.ts",
    find: "    period: reader.integer() - 1,",
    replace: "    period: reader.integer(),",
    by: "laws",
  },
  {
    fault: "entries of a section may come in any order",
    file: "src/bucket/message.ts",
    find: `    if (compareStamps(stamp, last) <= 0) throw new Malformed("an entry is out of order");
`,
    replace: "",
    by: "messages",
  },
  {
    fault: "a replica may give to itself",
    file: "src/bucket/message.ts",
    find: `    if (row.given.has(author)) throw new Malformed("a replica gives to itself");
`,
    replace: "",
    by: "messages",
  },
  {
    fault: "a boundary forgives debt",
    file: "src/bucket/local.ts",
    find: "this.level = Math.min(this.capacity, Math.min(0, this.level) + fresh);",
    replace: "this.level = Math.min(this.capacity, fresh);",
    by: "laws",
  },
  {
    fault: "parts of one that is gone are refilled for a period for which they were refilled before",
    file: "src/fleet/crediting.ts",
    find: "if (period > local.period) local.setApart(parts, 0, period);",
    replace: "",
    by: "one replica",
  },
  {
    fault: "parts set apart are full when their period comes, whatever came with them",
    file: "src/bucket/local.ts",
    find: "const units = this.aheadPeriod === period ? this.aheadUnits : Infinity;",
    replace: "const units = Infinity;",
    by: "laws",
  },
  {
    fault: "hours begin where those of UTC do",
    file: "src/bucket/calendar.ts",
    find: "Math.floor((wallMs + (offset % HOUR_MS)) / HOUR_MS)",
    replace: "Math.floor((wallMs + (offset % 1)) / HOUR_MS)",
    by: "laws",
  },
  {
    fault: "days begin at midnight UTC in every time zone",
    file: "src/bucket/calendar.ts",
    find: "Math.floor(civilMs(wallMs, timezone) / DAY_MS)",
    replace: "Math.floor(wallMs / DAY_MS)",
    by: "laws",
  },
  {
    fault: "of stretches that belong together the one behind a gap alone is left out",
    file: "src/bucket/lww-map.ts",
    find: "    for (const { author, to, entries } of stretches) {",
    replace:
      "    for (const { author, base, to, entries } of stretches) {\n      if (base > (this.#authors.get(author)?.heard ?? 0)) continue;",
    by: "laws",
  },
  {
    fault: "what was heard beside the buckets moves on over a gap",
    file: "src/bucket/lww-map.ts",
    find: "if (stretches.some(({ author, base }) => base > (heard.get(author) ?? 0))) return { changed, refused };",
    replace: "",
    by: "laws",
  },
  {
    fault: "an entry from years ahead is taken",
    file: "src/bucket/lww-map.ts",
    find: "if (entry.time > timeMax || !this.hasPlaceFor(entry)) {",
    replace: "if (!this.hasPlaceFor(entry)) {",
    by: "laws",
  },
  {
    fault: "what is past its time is taken again",
    file: "src/bucket/lww-map.ts",
    find: "if (entry.time <= (heard.get(author) ?? 0) || this.#isExpired(entry, nowMs)) continue;",
    replace: "if (entry.time <= (heard.get(author) ?? 0)) continue;",
    by: "laws",
  },
  {
    fault: "a later write may carry an earlier time than what was heard",
    file: "src/bucket/lww-map.ts",
    find: "return Math.max(Math.floor(wallMs) * STAMPS_PER_MS, this.#latest + 1);",
    replace: "return Math.floor(wallMs) * STAMPS_PER_MS;",
    by: "laws",
  },
  {
    fault: "elapsed time goes back when the wall clock does",
    file: "src/clock.ts",
    find: "        latest = Math.max(latest, advance);",
    replace: "        latest = advance;",
    by: "laws",
  },
  {
    fault: "after a step the clocks go on being compared from before it",
    file: "src/clock.ts",
    find: `        anchorWall = wall;
`,
    replace: "",
    by: "laws",
  },
];
