// Lines to a file descriptor without ever blocking the event loop: they are gathered for a moment and written by the
// thread pool, one write at a time. (`process.stdout` is synchronous for files and pipes on Linux: a reader that stops
// reading would stop the gateway.) What waits is bounded; beyond that lines are dropped and counted.
import { write, writeSync } from "node:fs";
import type { Timers } from "../clock.ts";

/** How long lines are gathered, in milliseconds. */
const GATHER_MS = 20;
/** A reader of a full non-blocking pipe is asked again after this. */
const RETRY_MS = 20;
const WAITING_CHARS_MAX = 8 * 1024 * 1024;

/** Writes `bytes` and tells how many went out; the shape of `fs.write`. */
export type WriteBytes = (
  bytes: Buffer,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

export interface LineWriter {
  /** Adds one line; its newline is added here. Never throws, never waits. */
  write(line: string): void;
  /** Resolves when everything so far is out, or can't be. */
  flush(): Promise<void>;
  /** For the process's last moment: writes what is left, synchronously. */
  flushNow(): void;
  /** Lines that were dropped because the reader was too slow, so far. */
  dropped(): number;
}

/** Writes to the file descriptor `fd`, usually 1. */
export function fdWriter(fd: number, timers: Timers): LineWriter {
  return lineWriter(
    (bytes, done) => write(fd, bytes, done),
    (bytes) => writeSync(fd, bytes),
    timers,
  );
}

export function lineWriter(send: WriteBytes, sendNow: (bytes: Buffer) => void, timers: Timers): LineWriter {
  return new Gatherer(send, sendNow, timers);
}

class Gatherer implements LineWriter {
  private readonly send: WriteBytes;
  private readonly sendNow: (bytes: Buffer) => void;
  private readonly timers: Timers;
  private lines: string[] = [];
  private chars = 0;
  private dropCount = 0;
  /** Bytes that the thread pool has not taken yet; null when nothing is under way. */
  private under: Buffer | null = null;
  private isScheduled = false;
  private idle: (() => void)[] = [];

  constructor(send: WriteBytes, sendNow: (bytes: Buffer) => void, timers: Timers) {
    this.send = send;
    this.sendNow = sendNow;
    this.timers = timers;
  }

  write(line: string): void {
    if (this.chars + line.length > WAITING_CHARS_MAX) {
      this.dropCount += 1;
      return;
    }
    this.lines.push(line);
    this.chars += line.length;
    if (this.isScheduled || this.under !== null) return;
    this.isScheduled = true;
    this.timers.after(GATHER_MS, () => {
      this.isScheduled = false;
      this.next();
    });
  }

  dropped(): number {
    return this.dropCount;
  }

  flush(): Promise<void> {
    if (this.under === null) this.next();
    if (this.under === null) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  flushNow(): void {
    const left = Buffer.concat([this.under ?? Buffer.alloc(0), this.gathered()]);
    this.under = null;
    try {
      if (left.length > 0) this.sendNow(left);
    } catch {
      // The reader is gone or full in the process's last moment: there is nobody left to tell.
      this.dropCount += 1;
    }
  }

  private gathered(): Buffer {
    const text = this.lines.length === 0 ? "" : `${this.lines.join("\n")}\n`;
    this.lines = [];
    this.chars = 0;
    return Buffer.from(text);
  }

  /** Takes what was gathered and sends it; whoever waits for a flush is told when nothing is left. */
  private next(): void {
    if (this.under !== null) return;
    if (this.lines.length === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
      return;
    }
    this.under = this.gathered();
    this.push();
  }

  private push(): void {
    const bytes = this.under;
    if (bytes === null) return;
    this.send(bytes, (error, written) => {
      if (this.under === null) return;
      if (error?.code === "EAGAIN") {
        this.timers.after(RETRY_MS, () => this.push());
        return;
      }
      if (error !== null) this.dropCount += 1;
      const rest = error === null && written < bytes.length ? bytes.subarray(written) : null;
      this.under = rest;
      if (rest === null) this.next();
      else this.push();
    });
  }
}
