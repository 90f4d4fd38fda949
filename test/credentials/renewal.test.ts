import { describe, expect, test, vi } from "vitest";
import { isSameKey, type Issued, type Key, KeyFault, type KeySource } from "../../src/credentials/key.ts";
import { Renewal } from "../../src/credentials/renewal.ts";
import { type LogFields, silentLog } from "../../src/observe/events.ts";
import { ManualClock } from "../manual-clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function shown(value: string): Key {
  return { kind: "shown", value };
}

/** A source that is answered by hand, one call at a time. */
class HandSource implements KeySource {
  calls = 0;
  isLocal = false;
  #answer = Promise.withResolvers<Issued>();
  signal: AbortSignal | null = null;

  issue(signal: AbortSignal): Promise<Issued> {
    this.calls += 1;
    this.signal = signal;
    this.#answer = Promise.withResolvers<Issued>();
    return this.#answer.promise;
  }

  give(value: string, lifeMs: number | null): Promise<void> {
    this.#answer.resolve({ key: shown(value), lifeMs });
    return settled();
  }

  fail(error: unknown): Promise<void> {
    this.#answer.reject(error);
    return settled();
  }
}

/** Everything that promises have to do is done. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function setup() {
  const clock = new ManualClock();
  const source = new HandSource();
  const lines: { message: string; fields: LogFields | undefined }[] = [];
  const note = (message: string, fields?: LogFields): void => void lines.push({ message, fields });
  const keys: string[] = [];
  const renewal: Renewal = new Renewal({
    account: "cloud~one",
    provider: "cloud",
    source,
    clock,
    timers: clock,
    random: () => 1,
    log: { ...silentLog, info: note, warn: note, error: note },
    onKey: () => keys.push(renewal.key?.kind === "shown" ? renewal.key.value : "?"),
  });
  return { clock, source, renewal, lines, keys };
}

describe("a key that lives for an hour", () => {
  test("is renewed minutes before its end, and the old one serves meanwhile", async () => {
    const { clock, source, renewal, keys } = setup();
    void renewal.start();
    expect(renewal.isValid()).toBe(false);
    await source.give("first", HOUR);
    expect(renewal.isValid()).toBe(true);
    clock.advance(HOUR - 5 * MINUTE);
    expect(source.calls).toBe(1);
    clock.advance(2 * MINUTE);
    expect(source.calls).toBe(2);
    expect(renewal.isValid()).toBe(true);
    expect(renewal.key).toEqual(shown("first"));
    await source.give("second", HOUR);
    expect(keys).toEqual(["first", "second"]);
    clock.advance(HOUR - 5 * MINUTE);
    expect(renewal.isValid()).toBe(true);
  });

  test("is not used in its last seconds", async () => {
    const { clock, source, renewal } = setup();
    void renewal.start();
    await source.give("first", HOUR);
    clock.advance(HOUR - 11_000);
    expect(renewal.isValid()).toBe(true);
    clock.advance(1_000);
    expect(renewal.isValid()).toBe(false);
  });

  test("ends when it ends, though the machine's clock was set back", async () => {
    const { clock, source, renewal } = setup();
    void renewal.start();
    await source.give("first", HOUR);
    const wallMs = clock.wallMs() - 24 * HOUR;
    clock.wallMs = () => wallMs;
    clock.advance(HOUR - 10_001);
    expect(renewal.isValid()).toBe(true);
    clock.advance(1);
    expect(renewal.isValid()).toBe(false);
  });

  test("counts once when the issuer gives the same one again", async () => {
    const { clock, source, renewal, keys } = setup();
    void renewal.start();
    await source.give("same", HOUR);
    clock.advance(HOUR - 3 * MINUTE);
    await source.give("same", 4 * MINUTE);
    expect(keys).toEqual(["same"]);
    expect(renewal.report()).toMatchObject({ renewed: 1, failed: 0, isValid: true });
    clock.advance(2 * MINUTE);
    expect(source.calls).toBe(3);
  });
});

describe("a source that fails", () => {
  test("is asked again, later each time, and the valid key serves on", async () => {
    const { clock, source, renewal, lines } = setup();
    void renewal.start();
    await source.give("first", HOUR);
    clock.advance(HOUR - 225_000 - 10_000);
    const waits = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
    for (const [index, waitMs] of waits.entries()) {
      await source.fail(new KeyFault("issuer.test refused: 503"));
      clock.advance(waitMs - 1);
      expect(source.calls).toBe(2 + index);
      clock.advance(1);
      expect(source.calls).toBe(3 + index);
    }
    expect(renewal.isValid()).toBe(false);
    expect(lines[0]).toEqual({
      message: "a provider's key could not be renewed",
      fields: { provider: "cloud~one", reason: "issuer.test refused: 503", isValid: true, retryMs: 1000 },
    });
    expect(renewal.report()).toMatchObject({ isValid: false, failed: 9, fault: "issuer.test refused: 503" });
    await source.give("second", HOUR);
    expect(renewal.isValid()).toBe(true);
    expect(renewal.report()).toMatchObject({ isValid: true, fault: "" });
    expect(lines.at(-2)?.message).toBe("a provider's key can be renewed again");
    clock.advance(HOUR - 225_000 - 10_000);
    await source.fail(new KeyFault("issuer.test refused: 503"));
    expect(lines.at(-1)?.fields).toMatchObject({ retryMs: 1000 });
  });

  test("answers requests at once with `provider_auth` until it is asked again", async () => {
    const { clock, source, renewal } = setup();
    void renewal.start();
    await source.fail(new KeyFault("issuer.test refused: 401 invalid_client"));
    clock.advance(400);
    const error = await renewal.missing();
    expect(error).toMatchObject({ code: "provider_auth", retryAfterMs: 600 });
    expect(error?.message).not.toContain("issuer.test");
    expect(source.calls).toBe(1);
  });

  test.each([[0], [-5], [10_000], [Number.NaN]])("is one that gives a key for %s ms", async (lifeMs) => {
    const { source, renewal } = setup();
    void renewal.start();
    await source.give("old", lifeMs);
    expect(renewal.isValid()).toBe(false);
    expect(renewal.report().fault).toContain("expired already");
  });

  test("by not answering is one that is told so", async () => {
    vi.spyOn(AbortSignal, "timeout").mockReturnValueOnce(AbortSignal.abort());
    const { source, renewal } = setup();
    void renewal.start();
    expect(source.signal?.aborted).toBe(true);
    await source.fail(new KeyFault("issuer.test could not be asked (ABORT_ERR)"));
    expect(renewal.report().fault).toBe("nothing came back within 10 s");
  });

  test("is not asked sooner because a provider refuses the key that is held", async () => {
    const { clock, source, renewal } = setup();
    void renewal.start();
    await source.give("first", HOUR);
    clock.advance(HOUR - 225_000 - 10_000);
    for (const waitMs of [1000, 2000, 4000, 8000]) {
      await source.fail(new KeyFault("issuer.test refused: 503"));
      clock.advance(waitMs);
    }
    await source.fail(new KeyFault("issuer.test refused: 503"));
    clock.advance(15_999);
    renewal.refused();
    expect(source.calls).toBe(6);
  });

  test("unexpectedly is told with its cause", async () => {
    const { source, renewal, lines } = setup();
    void renewal.start();
    const cause = new TypeError("x is not a function");
    await source.fail(cause);
    expect(lines[0]?.fields).toMatchObject({ reason: "it failed unexpectedly", cause });
  });
});

describe("requests without a valid key", () => {
  test("wait for the one call that is under way", async () => {
    const { source, renewal } = setup();
    void renewal.start();
    const waiting = [renewal.missing(), renewal.missing()];
    await source.give("first", HOUR);
    expect(await Promise.all(waiting)).toEqual([null, null]);
    expect(source.calls).toBe(1);
  });

  test("make it be renewed after the machine slept, when no timer has run", async () => {
    const { clock, source, renewal } = setup();
    void renewal.start();
    await source.give("first", HOUR);
    const wallMs = clock.wallMs() + 2 * HOUR;
    clock.wallMs = () => wallMs;
    expect(renewal.isValid()).toBe(false);
    const waiting = renewal.missing();
    expect(source.calls).toBe(2);
    await source.give("second", HOUR);
    expect(await waiting).toBeNull();
  });
});

test("a key without an end is looked at every few seconds, and told of when it is another", async () => {
  const { clock, source, renewal, keys } = setup();
  void renewal.start();
  await source.give("mounted", null);
  for (let look = 0; look < 3; look++) {
    clock.advance(2000);
    await source.give("mounted", null);
  }
  expect(source.calls).toBe(4);
  clock.advance(2000);
  await source.give("rotated", null);
  expect(keys).toEqual(["mounted", "rotated"]);
  expect(renewal.report()).toMatchObject({ isValid: true, endsInMs: null });
});

test("a file that can't be read is looked at every few seconds, and told of once", async () => {
  const { clock, source, renewal, lines } = setup();
  source.isLocal = true;
  void renewal.start();
  for (let failure = 0; failure < 8; failure++) {
    await source.fail(new KeyFault("the file can't be read"));
    clock.advance(2000);
    await settled();
  }
  expect(source.calls).toBe(9);
  expect(lines).toHaveLength(1);
  await source.give("k3y", null);
  expect(renewal.isValid()).toBe(true);
});

test("a key that the provider refuses is renewed, but not again and again", async () => {
  const { clock, source, renewal } = setup();
  void renewal.start();
  await source.give("revoked", HOUR);
  clock.advance(20_000);
  renewal.refused();
  renewal.refused();
  expect(source.calls).toBe(2);
  await source.give("revoked", HOUR);
  clock.advance(4_999);
  renewal.refused();
  expect(source.calls).toBe(2);
  clock.advance(1);
  renewal.refused();
  expect(source.calls).toBe(3);
});

test("a key that lives for minutes is renewed at half of what is left", async () => {
  const { clock, source, renewal } = setup();
  void renewal.start();
  await source.give("first", 2 * MINUTE);
  clock.advance(54_999);
  expect(source.calls).toBe(1);
  clock.advance(1);
  expect(source.calls).toBe(2);
});

test("keys are the same when all their parts are", () => {
  const key = { kind: "signing", accessKeyId: "id", secretAccessKey: "s", sessionToken: "t" } as const;
  expect(isSameKey(key, { ...key })).toBe(true);
  for (const part of ["accessKeyId", "secretAccessKey", "sessionToken"]) {
    expect(isSameKey(key, { ...key, [part]: "other" })).toBe(false);
  }
  expect(isSameKey(key, shown("id"))).toBe(false);
  expect(isSameKey(shown("id"), key)).toBe(false);
});

test("a life of years is renewed within a day", async () => {
  const { clock, source, renewal } = setup();
  void renewal.start();
  await source.give("first", 1e15);
  clock.advance(24 * HOUR);
  expect(source.calls).toBe(2);
});

test("nothing is asked any more after the end, and a call under way is given up", async () => {
  const { clock, source, renewal, lines } = setup();
  void renewal.start();
  renewal.close();
  expect(source.signal?.aborted).toBe(true);
  await source.fail(new Error("aborted"));
  clock.advance(HOUR);
  expect(source.calls).toBe(1);
  expect(clock.pending()).toBe(0);
  expect(lines).toEqual([]);
});
