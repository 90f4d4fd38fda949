// One call over a real socket: it ends exactly once, its connection is used again only after a clean end, and deadlines
// hold in every phase.
import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { Call, LINGER_MS, NOTICE_MS, type Receiver } from "../../src/upstream/call.ts";
import { Origin } from "../../src/upstream/origin.ts";
import { Watch } from "../../src/upstream/watch.ts";
import { closedPort, scriptedUpstream, type Script } from "../gateway/scripted-upstream.ts";
import { ManualClock } from "../manual-clock.ts";

const TIMEOUTS = { connectMs: 1000, firstTokenMs: 2000, idleMs: 3000, totalMs: 10_000 };

/** Notes what it is told, and how it ended. */
class Notes implements Receiver {
  status = 0;
  headers: IncomingHttpHeaders = {};
  body = "";
  ends: string[] = [];
  /** Whether it has all it needs when the answer has arrived. */
  isContent = true;
  readonly #ended = Promise.withResolvers<void>();
  onFirst: () => void = () => undefined;

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.headers = headers;
  }

  onData(chunk: Buffer): void {
    this.body += chunk.toString();
    this.onFirst();
  }

  onEnd(): boolean {
    this.ends.push("whole");
    this.#ended.resolve();
    return this.isContent;
  }

  onFailure(error: GatewayError): void {
    this.ends.push(error.code);
    this.#ended.resolve();
  }
}

class Bench {
  readonly clock = new ManualClock();
  readonly watch = new Watch(this.clock, () => () => undefined);
  readonly origin: Origin;

  constructor(port: number) {
    this.origin = new Origin({ provider: "p", url: `http://127.0.0.1:${port}` });
    onTestFinished(() => this.origin.close());
  }

  call(notes: Notes): Call {
    const request = {
      path: "/x",
      headers: ["a", "b"],
      body: Buffer.from("{}"),
      timeouts: TIMEOUTS,
      startedMs: this.clock.elapsedMs(),
    };
    const call = new Call(this.origin, this.watch, request, notes);
    call.start(this.clock.elapsedMs());
    return call;
  }

  advance(ms: number): void {
    this.clock.advance(ms);
    this.watch.check();
  }

  /** Lets the time pass in which providers notice that connections were closed. */
  notice(): void {
    this.advance(0);
    this.advance(NOTICE_MS);
  }
}

async function benchWith(
  ...scripts: Script[]
): Promise<{ bench: Bench; upstream: Awaited<ReturnType<typeof scriptedUpstream>> }> {
  const upstream = await scriptedUpstream(...scripts);
  return { bench: new Bench(upstream.port), upstream };
}

describe("a call", () => {
  test("brings the answer and frees its connection for the next", async () => {
    const { bench, upstream } = await benchWith((r) => r.answer(200, "hello", { "x-y": "z" }));
    for (let i = 0; i < 2; i++) {
      const notes = new Notes();
      const call = bench.call(notes);
      await notes.ended;
      expect(notes).toMatchObject({ status: 200, body: "hello", ends: ["whole"], headers: { "x-y": "z" } });
      expect(call.isSent).toBe(true);
      expect(bench.origin.freeCount).toBe(1);
    }
    expect(new Set(upstream.requests.map(({ socket }) => socket)).size).toBe(1);
    expect(bench.watch.size).toBe(0);
  });

  test("whose answer has arrived and is still worked on keeps its deadlines, not its connection", async () => {
    const { bench } = await benchWith((r) => r.answer(200, "x"));
    const [late, quick] = [new Notes(), new Notes()];
    late.isContent = quick.isContent = false;
    const calls = [bench.call(late), bench.call(quick)];
    await Promise.all([late.ended, quick.ended]);
    expect([bench.watch.size, bench.origin.freeCount]).toEqual([2, 2]);
    calls[1]?.letGo();
    expect(bench.watch.size).toBe(1);
    bench.advance(TIMEOUTS.totalMs + 1);
    expect([late.ends, quick.ends]).toEqual([["whole", "provider_timeout"], ["whole"]]);
    expect([bench.watch.size, bench.origin.freeCount]).toEqual([0, 2]);
  });

  test("interim answers are not answers", async () => {
    const { bench } = await benchWith((r) => {
      r.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
      r.answer(200, "x");
    });
    const notes = new Notes();
    bench.call(notes);
    await notes.ended;
    expect(notes).toMatchObject({ status: 200, body: "x", ends: ["whole"] });
  });

  test("that can't connect was not sent", async () => {
    const bench = new Bench(await closedPort());
    const notes = new Notes();
    const call = bench.call(notes);
    await notes.ended;
    expect(notes.ends).toEqual(["provider_unreachable"]);
    expect(call.isSent).toBe(false);
    expect(bench.origin.freeCount).toBe(0);
  });

  test("that is aborted ends at once, its connection is cut, and nothing follows", async () => {
    const { bench, upstream } = await benchWith((r) => r.streamHead().chunk("one"));
    const notes = new Notes();
    const begun = Promise.withResolvers<void>();
    notes.onFirst = begun.resolve;
    const call = bench.call(notes);
    await begun.promise;
    call.abort(new GatewayError("client_gone", "gone"));
    call.abort(new GatewayError("internal_error", "again"));
    expect(notes.ends).toEqual(["client_gone"]);
    await (
      await upstream.request(0)
    ).closed;
    expect(notes.ends).toEqual(["client_gone"]);
    expect(bench.origin.freeCount).toBe(0);
    bench.notice();
    expect(bench.watch.size).toBe(0);
  });

  test("that is aborted before it is connected ends at once and is never sent", async () => {
    const { bench, upstream } = await benchWith((r) => r.answer(200, "x"));
    const notes = new Notes();
    bench.call(notes).abort(new GatewayError("client_gone", "gone"));
    expect(notes.ends).toEqual(["client_gone"]);
    const next = new Notes();
    bench.call(next);
    await next.ended;
    expect(upstream.requests).toHaveLength(1);
  });

  test("that is let go is heard no more, and its connection is kept if it ends in time", async () => {
    const { bench, upstream } = await benchWith((r) => r.streamHead().chunk("done"));
    const notes = new Notes();
    const begun = Promise.withResolvers<void>();
    notes.onFirst = begun.resolve;
    const call = bench.call(notes);
    await begun.promise;
    call.letGo();
    const request = await upstream.request(0);
    request.chunk("more").endChunks();
    await expect.poll(() => bench.origin.freeCount).toBe(1);
    expect(notes).toMatchObject({ body: "done", ends: [] });
  });

  test("that is let go and does not end is cut after a second", async () => {
    const { bench, upstream } = await benchWith((r) => r.streamHead().chunk("done"));
    const notes = new Notes();
    const begun = Promise.withResolvers<void>();
    notes.onFirst = begun.resolve;
    const call = bench.call(notes);
    await begun.promise;
    call.letGo();
    bench.advance(1001);
    await (
      await upstream.request(0)
    ).closed;
    expect(notes.ends).toEqual([]);
    bench.notice();
    expect(bench.watch.size).toBe(0);
  });
});

describe("the provider counts a call as running", () => {
  const late = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

  async function begun(script: Script) {
    const { bench, upstream } = await benchWith(script);
    const notes = new Notes();
    const first = Promise.withResolvers<void>();
    notes.onFirst = first.resolve;
    const call = bench.call(notes);
    expect(call.isRunning).toBe(false);
    let released = 0;
    call.onReleased = () => void (released += 1);
    await first.promise;
    expect(call.isRunning).toBe(true);
    const state = () => ({ released, isRunning: call.isRunning, watched: bench.watch.size });
    return { bench, call, state, request: await upstream.request(0) };
  }
  const STILL = { released: 0, isRunning: true, watched: 1 };
  const NO_MORE = { released: 1, isRunning: false, watched: 0 };

  test("until it has ended its answer, although we need no more of it", async () => {
    const { bench, call, state, request } = await begun((r) => r.streamHead().chunk("done"));
    call.letGo();
    bench.advance(LINGER_MS - 1);
    expect(state()).toEqual(STILL);
    request.endChunks();
    await expect.poll(state).toEqual(NO_MORE);
  });

  test("no longer than a second and the notice, if it never ends its answer", async () => {
    const { bench, call, state, request } = await begun((r) => r.streamHead().chunk("done"));
    call.letGo();
    bench.advance(LINGER_MS + 1);
    await request.closed;
    await late();
    expect(state()).toEqual(STILL);
    bench.advance(50);
    bench.advance(NOTICE_MS - 1);
    expect(state()).toEqual(STILL);
    bench.advance(1);
    expect(state()).toEqual(NO_MORE);
  });

  test("for a moment after we have closed its connection, but not when it closed it", async () => {
    const { bench, call, state, request } = await begun((r) => r.streamHead().chunk("one"));
    call.abort(new GatewayError("client_gone", "gone"));
    await request.closed;
    await late();
    bench.advance(0);
    bench.advance(NOTICE_MS - 1);
    expect(state()).toEqual(STILL);
    bench.advance(1);
    expect(state()).toEqual(NO_MORE);
    const torn = await begun((r) => r.streamHead().chunk("one"));
    torn.request.reset();
    await expect.poll(torn.state).toEqual(NO_MORE);
  });

  test("not when its answer has arrived and only we still work on it", async () => {
    const { bench } = await benchWith((r) => r.answer(200, "x"));
    const notes = new Notes();
    notes.isContent = false;
    const call = bench.call(notes);
    await notes.ended;
    expect(call.isRunning).toBe(false);
    call.abort(new GatewayError("client_gone", "gone"));
    expect([call.isRunning, bench.watch.size]).toEqual([false, 0]);
  });
});

describe("deadlines", () => {
  test("count silence from the sending, then from the last piece, and the whole", async () => {
    const { bench, upstream } = await benchWith((r) => r.streamHead());
    const notes = new Notes();
    const call = bench.call(notes);
    const request = await upstream.request(0);
    bench.advance(1900);
    expect(notes.ends).toEqual([]);
    const begun = Promise.withResolvers<void>();
    notes.onFirst = begun.resolve;
    request.chunk("first");
    await begun.promise;
    call.markFirst();
    bench.advance(2900);
    expect(notes.ends).toEqual([]);
    bench.advance(200);
    expect(notes.ends).toEqual(["provider_timeout"]);
  });

  test("don't count silence of our own doing, but the whole all the same", async () => {
    const { bench, upstream } = await benchWith((r) => r.streamHead().chunk("x"));
    const notes = new Notes();
    const begun = Promise.withResolvers<void>();
    notes.onFirst = begun.resolve;
    const call = bench.call(notes);
    await begun.promise;
    await upstream.request(0);
    call.markFirst();
    call.pause();
    bench.advance(5000);
    expect(notes.ends).toEqual([]);
    bench.advance(5001);
    expect(notes.ends).toEqual(["provider_timeout"]);
  });
});

test("a provider that closes an idle connection costs nobody an answer", async () => {
  const { bench, upstream } = await benchWith((r) => r.answer(200, "x"));
  const first = new Notes();
  bench.call(first);
  await first.ended;
  (await upstream.request(0)).socket.end();
  await expect.poll(() => bench.origin.freeCount).toBe(0);
  const second = new Notes();
  bench.call(second);
  await second.ended;
  expect(second.ends).toEqual(["whole"]);
});
