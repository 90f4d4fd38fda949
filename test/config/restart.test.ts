import { describe, expect, test } from "vitest";
import { keysThatNeedRestart } from "../../src/config/restart.ts";
import { load } from "./setup.ts";

describe("a change of", () => {
  test.each([
    ["", []],
    ["queue: { max_length: 5 }", []],
    ["providers: { vllm: }\nmodels: { a: [ vllm/x ] }", []],
    ["listen: 127.0.0.1:1", ["listen"]],
    ["http: { max_body: 1mb }", ["http"]],
    ["cache: { ttl: 10m }", []],
    ["data_dir: other", ["data_dir"]],
    ["log: { level: debug }", []],
    ["log: { merges: true }", ["log.merges"]],
    ["fleet: { name: other }", ["fleet"]],
  ])("%j waits for a restart in %j", async (yaml, keys) => {
    const before = await load("");
    const after = await load(yaml);
    expect(keysThatNeedRestart(before.config, after.config)).toEqual(keys);
  });
});
