// The sections `http` and `cache`: what they mean, and what is wrong with them.
import { describe, expect, test } from "vitest";
import { load, problemsOf } from "./setup.ts";

test("by default nothing is cached, and clients are bounded", async () => {
  const { config } = await load("");
  expect(config.cache).toEqual({
    ttlMs: 0,
    models: null,
    except: new Set(),
    isShared: false,
    memoryBytesMax: 64 * 1024 ** 2,
    diskBytesMax: 1024 ** 3,
    answerBytesMax: 1024 ** 2,
  });
  expect(config.http).toEqual({
    bodyBytesMax: 64 * 1024 ** 2,
    bodyBytesTotalMax: 1024 ** 3,
    uploadBytesMax: 512 * 1024 ** 2,
    headBytesMax: 32 * 1024,
    connectionsMax: 20_000,
    headTimeoutMs: 15_000,
    bodyStallMs: 30_000,
    requestTimeoutMs: 300_000,
    writeStallMs: 30_000,
    keepAliveMs: 620_000,
  });
});

test("sizes are in powers of 1024, in either case, with a fraction or a blank", async () => {
  const { config } = await load(
    "http: { max_body: 1.5kb, max_bodies: 2 MB, max_head: 8KB }\ncache: { max_disk: 0 }",
  );
  expect(config.http).toMatchObject({ bodyBytesMax: 1536, bodyBytesTotalMax: 2_097_152, headBytesMax: 8192 });
  expect(config.cache.diskBytesMax).toBe(0);
});

describe("these are refused with their place:", () => {
  test.each([
    ["http: { max_body: 64 }", "1:19: http.max_body: expected a size such as 512kb, 64mb or 1gb"],
    ["http: { max_body: 0 }", "1:19: http.max_body: this size must be above zero"],
    ["http: { max_body: -1mb }", "expected a size"],
    ["http: { max_head: 100kb, max_body: 2000gb }", "a size can be at most 1024gb"],
    ["http: { max_head: 0.5kb }", "this size must be at least 1kb"],
    ["http: { max_connections: 0 }", "expected a whole number from 1 to 1000000"],
    ["http: { write_stall: 0 }", "this duration must be above zero"],
    ["http: { body_stall: -5s }", "a duration can't be negative"],
    ["http: { head_timeout: 10m }", "1:23: http.head_timeout: it is a part of `request_timeout`"],
    ["http: { max_bdy: 1mb }", 'did you mean "max_body"?'],
    ["cache: { ttl: -1s }", "1:15: cache.ttl: a duration can't be negative"],
    ["cache: { ttl: 10 }", "expected a duration"],
    ["cache: { scope: everyone }", "expected one of key, shared"],
    ["cache: { max_answer: 0 }", "this size must be above zero"],
    ["cache: { models: smart }", "expected a list of models"],
    [
      "cache: { models: [smart] }",
      "1:19: cache.models[0]: there is no such entry in `models`, and no provider has it",
    ],
    [
      "cache: { except: [vllm/x, smrt] }\nproviders: { vllm: }\nmodels: { smart: [vllm/x] }",
      '1:27: cache.except[1]: there is no such entry in `models`, and no provider has it; did you mean "smart"?',
    ],
  ])("%s", async (yaml, problem) => {
    expect(await problemsOf(yaml)).toContain(problem);
  });
});
