// Puts load on one server, from its own process, over bare sockets: requests are bytes prepared beforehand and answers
// are only looked through for their end, so that the driver costs little beside what it measures.
//
//   node bench/driver.ts '{"port":8787,"connections":64,"requests":20000,"isStream":false}'
//
// Prints one line of JSON: what it took.
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { chatRequest, type Load, type LoadResult } from "./load.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

class Driver {
  readonly #load: Load;
  readonly #request: Buffer;
  readonly #latencies: Float64Array;
  readonly #done = Promise.withResolvers<void>();
  #started = 0;
  #ended = 0;
  #failed = 0;
  firstFailure = "";

  constructor(load: Load) {
    this.#load = load;
    this.#request = chatRequest(load);
    this.#latencies = new Float64Array(load.requests);
  }

  async run(): Promise<LoadResult> {
    const startedMs = performance.now();
    const sockets = Array.from({ length: this.#load.connections }, () => this.#connection());
    await this.#done.promise;
    const seconds = (performance.now() - startedMs) / 1000;
    for (const socket of sockets) socket.destroy();
    const sorted = this.#latencies.subarray(0, this.#ended).sort();
    return {
      requests: this.#ended,
      failed: this.#failed,
      firstFailure: this.firstFailure,
      seconds,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
    };
  }

  #connection(): Socket {
    const socket = connect({ port: this.#load.port, host: "127.0.0.1", noDelay: true });
    let sentMs = 0;
    let expected = -1;
    let received: Buffer = Buffer.alloc(0);
    const next = (): void => {
      if (this.#started >= this.#load.requests) return;
      this.#started++;
      expected = -1;
      received = Buffer.alloc(0);
      sentMs = performance.now();
      socket.write(this.#request);
    };
    socket.on("connect", next);
    socket.on("error", (error) => this.#fail(error.message));
    socket.on("data", (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (expected === -1) expected = this.#expect(received);
      const isWhole =
        expected > 0
          ? received.length >= expected
          : expected === 0 && received.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK);
      if (!isWhole) return;
      this.#latencies[this.#ended++] = performance.now() - sentMs;
      if (this.#ended >= this.#load.requests) this.#done.resolve();
      else next();
    });
    return socket;
  }

  /** The length of the whole answer; 0 when it comes in chunks; -1 while its head is not whole. */
  #expect(received: Buffer): number {
    const end = received.indexOf(HEAD_END);
    if (end === -1) return -1;
    const head = received.toString("latin1", 0, end + 2);
    if (!head.startsWith("HTTP/1.1 200")) {
      this.#failed++;
      this.firstFailure ||= received.toString("utf8").slice(0, 400);
    }
    const length = CONTENT_LENGTH.exec(head)?.[1];
    return length === undefined ? 0 : end + HEAD_END.length + Number(length);
  }

  #fail(reason: string): void {
    this.#failed++;
    this.firstFailure ||= reason;
    this.#done.resolve();
  }
}

const load: Load = JSON.parse(process.argv[2] ?? "{}");
console.log(JSON.stringify(await new Driver(load).run()));
