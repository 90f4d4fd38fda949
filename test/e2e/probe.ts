// Sends raw bytes to a gateway process and checks that it is still sound: it lives, serves and has not grown.
import { equal, ok } from "node:assert/strict";
import { jsonRequest, RawClient, type RawAnswer } from "../http/raw-client.ts";
import type { GatewayProcess } from "./harness.ts";

export const MEBIBYTE = 1_048_576;
/** No answer takes longer, on a busy machine either; those that wait for a timeout of the server's are tested with shorter ones in test/http. */
const ANSWER_MS_MAX = 20_000;
/** What the process may need at its peak: itself, and a few bodies of the largest size in the making. */
const MEMORY_BYTES_MAX = 400 * MEBIBYTE;

export class Probe {
  readonly #gateway: GatewayProcess;
  readonly #sound: unknown;
  readonly #clients: RawClient[] = [];

  /** `sound`: the body of a request that is answered with 200 as long as all is well. */
  constructor(gateway: GatewayProcess, sound: unknown) {
    this.#gateway = gateway;
    this.#sound = sound;
  }

  client(): RawClient {
    const opened = new RawClient(this.#gateway.port);
    this.#clients.push(opened);
    return opened;
  }

  /** Sends the bytes and gives the answer, which comes in time. */
  async exchange(bytes: string | Buffer): Promise<RawAnswer> {
    const startedMs = performance.now();
    const answer = await this.client().send(bytes).answer();
    ok(performance.now() - startedMs < ANSWER_MS_MAX, "The answer took too long.");
    return answer;
  }

  async expectSound(): Promise<void> {
    ok(await this.#gateway.isHealthy(), "The gateway is not healthy.");
    const answer = await this.client().send(jsonRequest(this.#sound)).answer();
    equal(answer.status, 200, answer.body);
    const peakBytes = this.#gateway.peakMemoryBytes();
    ok(peakBytes < MEMORY_BYTES_MAX, `The gateway has grown to ${peakBytes} bytes.`);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
