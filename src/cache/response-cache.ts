// The response cache: complete answers by the question they answered, in memory and, if there is room for that, on disk.
// It knows nothing of HTTP or of routes. It lives as long as the process; its settings may change at any time.
import type { Timers } from "../clock.ts";
import type { CacheUse, Log, Sample } from "../observe/events.ts";
import { counter, gauge } from "../observe/sample.ts";
import type { Store } from "../store/store.ts";
import type { CachedAnswer } from "./answer.ts";
import { DiskTier } from "./disk-tier.ts";
import { Flights } from "./flights.ts";
import { MemoryTier } from "./memory-tier.ts";

export interface CacheSettings {
  /** How long an answer may be given again, in milliseconds; 0: nothing is kept. */
  readonly ttlMs: number;
  readonly memoryBytesMax: number;
  /** 0: nothing is kept on disk. */
  readonly diskBytesMax: number;
  /** Larger answers are not kept. */
  readonly answerBytesMax: number;
}

export interface FoundAnswer {
  readonly answer: CachedAnswer;
  readonly ageMs: number;
}

interface CacheParts {
  readonly wallMs: () => number;
  readonly log: Log;
  readonly timers: Timers;
  /** Opens the store on disk, when it is first needed. May throw: then there is memory only. */
  readonly openDisk: () => Store;
}

/** How far the clock may have been set back before the age of an answer counts as unknown, in milliseconds. */
const CLOCK_STEP_MS = 5000;

/** There is room for so many answers that are under way, however little is kept in memory. */
const RECORDINGS_MIN = 8;

const OFF: CacheSettings = { ttlMs: 0, memoryBytesMax: 0, diskBytesMax: 0, answerBytesMax: 0 };

export class ResponseCache {
  readonly flights = new Flights();
  readonly #parts: CacheParts;
  readonly #memory = new MemoryTier();
  #disk: DiskTier | null = null;
  #settings = OFF;
  /** What was kept until then is forgotten, though the disk may take a while to remove it. */
  #forgottenMs = -Infinity;
  #recordingBytes = 0;
  readonly #uses: Record<CacheUse, number> = { hit: 0, miss: 0, wait: 0, bypass: 0 };
  #savedInputTokens = 0;
  #savedOutputTokens = 0;

  constructor(parts: CacheParts) {
    this.#parts = parts;
  }

  get answerBytesMax(): number {
    return this.#settings.answerBytesMax;
  }

  /** Puts other settings in force. What no longer fits is let go of; with a `ttlMs` of 0 that is everything. */
  configure(settings: CacheSettings): void {
    const diskBytesMax = settings.ttlMs === 0 ? 0 : settings.diskBytesMax;
    if (settings.ttlMs === 0 && this.#settings.ttlMs > 0) this.#forgottenMs = this.#parts.wallMs();
    this.#settings = settings;
    this.#memory.resize(settings.ttlMs === 0 ? 0 : settings.memoryBytesMax);
    if (diskBytesMax > 0) this.#disk ??= this.#openDisk();
    this.#disk?.configure({ bytesMax: diskBytesMax, ttlMs: settings.ttlMs });
  }

  /** The answer to this question if it is fresh enough. At most one synchronous read of the disk. */
  find(key: string, maxAgeMs: number): FoundAnswer | null {
    const held = this.#memory.get(key);
    const found = held === undefined ? null : this.#fresh(held, maxAgeMs);
    if (found !== null || this.#disk === null) return found;
    const read = this.#disk.get(key);
    const fresh = read === null ? null : this.#fresh(read, maxAgeMs);
    if (fresh !== null) this.#memory.put(key, fresh.answer);
    return fresh;
  }

  /** Keeps an answer that is complete. It replaces what was kept. */
  keep(key: string, answer: CachedAnswer): void {
    if (this.#settings.ttlMs === 0 || answer.body.length > this.#settings.answerBytesMax) return;
    this.#memory.put(key, answer);
    if (this.#settings.diskBytesMax > 0) this.#disk?.put(key, answer);
  }

  /** Room for bytes of an answer that is under way; all of them together may take as much as those that are kept. */
  takeRoom(bytes: number): boolean {
    const { memoryBytesMax, answerBytesMax } = this.#settings;
    const bytesMax = Math.max(memoryBytesMax, RECORDINGS_MIN * answerBytesMax);
    if (this.#recordingBytes + bytes > bytesMax) return false;
    this.#recordingBytes += bytes;
    return true;
  }

  giveRoom(bytes: number): void {
    this.#recordingBytes -= bytes;
  }

  /** Counts a request. */
  count(use: CacheUse, answer: CachedAnswer | null): void {
    this.#uses[use] += 1;
    if (answer === null) return;
    this.#savedInputTokens += answer.inputTokens;
    this.#savedOutputTokens += answer.outputTokens;
  }

  /** Resolves when what is to be kept on disk is there. */
  async flush(): Promise<void> {
    await this.#disk?.flush();
  }

  async close(): Promise<void> {
    const disk = this.#disk;
    this.#settings = OFF;
    this.#disk = null;
    await disk?.close();
  }

  *samples(): Iterable<Sample> {
    const disk = this.#disk;
    for (const [result, value] of Object.entries(this.#uses)) {
      yield counter("sluice_cache_requests_total", "Requests that the response cache was asked for.", value, {
        result,
      });
    }
    const saved = "Tokens of answers that came from the response cache.";
    yield counter("sluice_cache_saved_tokens_total", saved, this.#savedInputTokens, { kind: "input" });
    yield counter("sluice_cache_saved_tokens_total", saved, this.#savedOutputTokens, { kind: "output" });
    const bytes = "What the kept answers take.";
    yield gauge("sluice_cache_bytes", bytes, this.#memory.bytes, { tier: "memory" });
    yield gauge("sluice_cache_bytes", bytes, disk?.bytes ?? 0, { tier: "disk" });
    yield gauge("sluice_cache_memory_answers", "Answers kept in memory.", this.#memory.size);
    yield gauge(
      "sluice_cache_waiting_requests",
      "Requests that wait for an identical one.",
      this.flights.followerCount,
    );
    const evicted = "Answers that were removed before they were asked for again.";
    yield counter("sluice_cache_evictions_total", evicted, this.#memory.evictedCount, { tier: "memory" });
    yield counter("sluice_cache_evictions_total", evicted, disk?.evictedCount ?? 0, { tier: "disk" });
    yield counter(
      "sluice_cache_dropped_writes_total",
      "Answers not written to disk.",
      disk?.droppedCount ?? 0,
    );
    yield counter("sluice_cache_faults_total", "Entries on disk that were damaged.", disk?.faultCount ?? 0);
  }

  #fresh(answer: CachedAnswer, maxAgeMs: number): FoundAnswer | null {
    const ageMs = this.#parts.wallMs() - answer.storedMs;
    if (answer.storedMs <= this.#forgottenMs) return null;
    if (ageMs < -CLOCK_STEP_MS || ageMs >= this.#settings.ttlMs || ageMs >= maxAgeMs) return null;
    return { answer, ageMs: Math.max(0, ageMs) };
  }

  #openDisk(): DiskTier | null {
    try {
      return new DiskTier(this.#parts.openDisk(), this.#parts);
    } catch (error) {
      this.#parts.log.warn("the response cache has no disk; it uses memory alone", { error });
      return null;
    }
  }
}
