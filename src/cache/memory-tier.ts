// The answers that are kept in memory: as many as fit into so many bytes, and the one that was not asked for longest
// goes first. A map keeps its entries in the order in which they came, so asking for one takes it out and puts it last.
import { memoryBytes, type CachedAnswer } from "./answer.ts";

export class MemoryTier {
  readonly #answers = new Map<string, CachedAnswer>();
  #bytesMax = 0;
  #bytes = 0;
  #evictedCount = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#answers.size;
  }

  /** How many answers had to make room. */
  get evictedCount(): number {
    return this.#evictedCount;
  }

  get(key: string): CachedAnswer | undefined {
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    return answer;
  }

  put(key: string, answer: CachedAnswer): void {
    this.delete(key);
    const bytes = memoryBytes(answer);
    if (bytes > this.#bytesMax) return;
    this.#answers.set(key, answer);
    this.#bytes += bytes;
    this.#shrink();
  }

  delete(key: string): void {
    const answer = this.#answers.get(key);
    if (answer === undefined) return;
    this.#answers.delete(key);
    this.#bytes -= memoryBytes(answer);
  }

  /** Changes the bound; 0 empties it. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#shrink();
  }

  #shrink(): void {
    if (this.#bytes <= this.#bytesMax) return;
    for (const key of this.#answers.keys()) {
      this.delete(key);
      this.#evictedCount += 1;
      if (this.#bytes <= this.#bytesMax) return;
    }
  }
}
