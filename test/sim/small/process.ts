// One process of the small model: the real replica on a disk of its own, with clocks that stand still until they are
// told to go on. It is moved by inputs and by nothing else, so the same inputs always lead to the same state.
import type { Limit } from "../../../src/bucket/limit.ts";
import { decodeMessage, encodeMessage, type Message } from "../../../src/bucket/message.ts";
import { OpenBucket } from "../../../src/fleet/holding.ts";
import { load, PREFIX } from "../../../src/fleet/journal.ts";
import { Replica } from "../../../src/fleet/replica.ts";
import { MemoryStore } from "../../../src/store/memory.ts";
import { addReplica, type Disk, doesRefill, Sketch, type Shape, wordsOfDisk } from "./describe.ts";
import { burn } from "../../../src/fleet/renewal.ts";

export const NAMES = ["a", "b", "c"] as const;
export type Name = (typeof NAMES)[number];

export const DAY_MS = 86_400_000;
/** Midnight of a day, UTC. */
const WALL_MS = 20_000 * DAY_MS;
export const START_MS = 1000;

/** A message on its way. */
export interface Letter {
  readonly id: number;
  readonly from: Name;
  readonly to: Name;
  readonly isAnswer: boolean;
  readonly message: Message;
  readonly shape: Shape;
}

export type Input =
  | { readonly kind: "take"; readonly cost: number }
  /** What the oldest running request took comes back unused (or, of running requests: it ends). */
  | { readonly kind: "give back" }
  /** Whoever waits goes away. */
  | { readonly kind: "give up" }
  | { readonly kind: "tick"; readonly ms: number }
  | { readonly kind: "step the clock"; readonly days: number }
  /** Begins to write what is due, or ends the write that has begun. */
  | { readonly kind: "write" }
  | { readonly kind: "fail to write" }
  | { readonly kind: "ask"; readonly to: Name }
  | { readonly kind: "hear"; readonly letter: Letter }
  | { readonly kind: "leave" }
  | { readonly kind: "evict"; readonly whom: Name }
  /** The process dies and is started again; the write under way has reached the disk, or not. */
  | { readonly kind: "crash"; readonly isWritten: boolean }
  | { readonly kind: "back up" }
  /** It is started on its backup, which says that it is one, or on a disk that went back to that and does not. */
  | { readonly kind: "restore"; readonly isMarked: boolean };

export interface Sent {
  readonly to: Name;
  readonly isAnswer: boolean;
  readonly bytes: Uint8Array;
}

/** From what a process is started. */
export interface Root {
  readonly name: Name;
  readonly limit: Limit;
  /** Whether it founds a fleet at its first tick, if it is in none. */
  readonly isFounding: boolean;
  /** Whether it waits, without end, for what its siblings remember before it serves. */
  readonly isAsking: boolean;
  readonly starts: number;
  readonly days: number;
  readonly disk: Disk;
  readonly backup: Disk | null;
  readonly isRestored: boolean;
}

export const idOf = (name: Name): string => name.repeat(32);

export class Process {
  readonly root: Root;
  readonly replica: Replica;
  readonly bucket: OpenBucket;
  disk: Disk;
  /** What the disk will be when the write under way ends; null while none is. */
  written: Disk | null = null;
  backup: Disk | null;
  days: number;
  nowMs = START_MS;
  /** How long each tick of this life was. */
  readonly ticksMs: number[] = [];
  inputs = 0;
  /** What its requests run with. */
  running: number[] = [];
  sent: Sent[] = [];
  admitted = 0;
  returned = 0;
  #pendingAtWrite: unknown = null;
  readonly #owed: Name[] = [];
  /** Under which id each sibling was last heard. */
  readonly #senderAt = new Map<Name, string>();

  constructor(root: Root) {
    this.root = root;
    this.disk = root.disk;
    this.backup = root.backup;
    this.days = root.days;
    const { name } = root;
    this.replica = new Replica({
      loaded: load(new MemoryStore({ contents: this.disk }).entries(PREFIX)),
      newId: idOf(name),
      nowMs: this.nowMs,
      instant: this.#instant,
      random: digitsOf(root),
      membership: {
        name,
        hasPeers: true,
        foundAfterMs: root.isFounding ? 0 : Infinity,
        foundsUnheard: root.isFounding,
        bootGraceMs: root.isAsking ? Infinity : 0,
        reclaimAfterMs: Infinity,
        unreachableAfterMs: 3000,
      },
    });
    if (root.isRestored) burn(this.replica.state);
    // As the shell does it: its start is durable before it speaks to anybody.
    while (this.replica.journal.hasWork) this.#write();
    this.replica.setLinks(NAMES.filter((other) => other !== name));
    const bucket = this.replica.open(root.limit);
    if (!(bucket instanceof OpenBucket)) throw new Error("no bucket");
    this.bucket = bucket;
    this.#tick(0);
  }

  get #wallMs(): number {
    return WALL_MS + this.days * DAY_MS + this.root.starts;
  }

  get #instant(): { readonly bootId: string; readonly monotonicMs: number; readonly wallMs: number } {
    return { bootId: "machine", monotonicMs: this.nowMs, wallMs: this.#wallMs };
  }

  #tick(ms: number): void {
    this.nowMs += ms;
    this.replica.tick(this.nowMs, this.#wallMs);
    if (ms > 0) this.ticksMs.push(ms);
  }

  /** Moves on. `sent`, `admitted` and `returned` tell what came of it. A crash is another process's start. */
  play(input: Exclude<Input, { kind: "crash" | "restore" }>): void {
    this.sent = [];
    this.admitted = 0;
    this.returned = 0;
    this.inputs += 1;
    const { replica, bucket, nowMs } = this;
    switch (input.kind) {
      case "take":
        return this.#take(input.cost);
      case "give back":
        return this.#giveBack();
      case "give up":
        return replica.wait(bucket, null, nowMs);
      case "tick":
        return this.#tick(input.ms);
      case "step the clock":
        this.days += input.days;
        return this.#tick(0);
      case "write":
        return this.#write();
      case "fail to write":
        this.written = null;
        replica.journal.failed();
        return this.#answerOwed();
      case "ask": {
        const link = replica.exchange.links.all.get(input.to);
        if (link === undefined) throw new Error(`no link to ${input.to}`);
        this.sent.push({ to: input.to, isAnswer: false, bytes: replica.exchange.request(link) });
        return;
      }
      case "hear":
        return this.#hear(input.letter);
      case "leave":
        return replica.leave();
      case "evict":
        replica.membership.evict(idOf(input.whom));
        return;
      case "back up":
        this.backup = this.disk;
    }
  }

  #take(cost: number): void {
    const { replica, bucket, nowMs } = this;
    const shortage = replica.take([bucket], [cost], nowMs);
    if (shortage === null) {
      this.admitted = cost;
      this.running.push(cost);
    }
    const sinceMs = bucket.holding.waiting?.sinceMs ?? nowMs;
    replica.wait(bucket, shortage?.reason === "level" ? { cost, sinceMs } : null, nowMs);
  }

  #giveBack(): void {
    const cost = this.running.shift();
    if (cost === undefined) throw new Error("nothing runs");
    this.replica.settle(this.bucket, cost, 0, this.nowMs);
    this.returned = cost;
  }

  #write(): void {
    const { journal, state } = this.replica;
    if (this.written === null) {
      this.#pendingAtWrite = state.pendingProfile;
      const flush = journal.collect(this.nowMs, this.#instant);
      if (flush === null) throw new Error("nothing is to be written");
      const written = new Map(this.disk);
      for (const [key, value] of flush.batch) {
        if (value === null) written.delete(key);
        else written.set(key, value);
      }
      this.written = written;
      return;
    }
    this.disk = this.written;
    this.written = null;
    // At once by its own clock: how long commits take is no part of a state.
    journal.written(0);
    if (!journal.hasWork) this.#answerOwed();
  }

  #answerOwed(): void {
    for (const name of this.#owed.splice(0)) this.#answer(name);
  }

  #answer(to: Name): void {
    this.sent.push({ to, isAnswer: true, bytes: this.replica.answer(this.#senderAt.get(to) ?? idOf(to)) });
  }

  /** Every message gets a number that is new here: that a repeated one is refused is tested elsewhere. */
  #hear({ message, from, isAnswer }: Letter): void {
    const bytes = encodeMessage({ ...message, serial: this.inputs });
    const received = this.replica.receive(bytes, this.nowMs, isAnswer ? from : null);
    if (received.kind !== "taken" || !received.wantsAnswer) return;
    this.#senderAt.set(from, received.from);
    const { journal } = this.replica;
    if (!received.mustFlush || (!journal.hasWork && this.written === null)) this.#answer(from);
    else if (!this.#owed.includes(from)) this.#owed.push(from);
  }

  /** The state as a text. */
  shape(): Shape {
    const { replica, root } = this;
    const sketch = new Sketch();
    sketch.add(root.name, root.starts, root.isRestored, this.days, "ticks", ...this.ticksMs);
    sketch.add("running", ...this.running, "owed", ...this.#owed);
    for (const [name, id] of this.#senderAt) sketch.add(name, id);
    addReplica(sketch, replica);
    const isTimed = doesRefill(root.limit);
    sketch.include(wordsOfDisk(this.disk, isTimed));
    if (this.written !== null) {
      const pending = this.#pendingAtWrite;
      sketch.add("writing", pending === null, pending === replica.state.pendingProfile);
      sketch.include(wordsOfDisk(this.written, isTimed));
    }
    if (this.backup !== null) {
      sketch.add("backup");
      sketch.include(wordsOfDisk(this.backup, isTimed));
    }
    return sketch.finish();
  }
}

/** The digits of new ids: which process, which start of it, which id of that start. */
function digitsOf({ name, starts }: Root): () => number {
  let drawn = 0;
  return () => {
    const place = drawn % 32;
    const number = [NAMES.indexOf(name) + 13, starts, Math.floor(drawn / 32)][place] ?? 0;
    drawn += 1;
    return (number % 16) / 16;
  };
}

export function letterOf(sent: Sent, from: Name): Omit<Letter, "id" | "shape"> {
  return { from, to: sent.to, isAnswer: sent.isAnswer, message: decodeMessage(sent.bytes) };
}
