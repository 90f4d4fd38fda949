// Commands beside the gateway read where it is, and nothing else in the file can keep them from it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type LoadOptions, readDataDir, readWhereabouts } from "../../src/config/load.ts";
import { folder } from "./setup.ts";

type Env = Readonly<Record<string, string>>;

function read(
  text: string,
  env: Env = {},
  reader: (options: LoadOptions) => unknown = readWhereabouts,
): unknown {
  const file = join(folder, "where.yaml");
  writeFileSync(file, text);
  try {
    return reader({ file, cwd: folder, env, hostName: "host" });
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(`${file}:`, "") : error;
  }
}

const listen = { host: "127.0.0.1", port: 9999, isLoopback: true };

test.each([
  [
    "variables that are not set here",
    "listen: 127.0.0.1:9999\ndata_dir: ./${NAME}\nadmin: { key: ${KEY} }\nproviders: { openai: { api_key: ${NOT_SET} } }",
    {},
    { listen, adminKey: null },
  ],
  [
    "keys that are unknown or wrong",
    "listen: 127.0.0.1:9999\nqueue: { max_wait: never }\nprovders: 1\nadmin: { key: abc }",
    {},
    { listen, adminKey: "abc" },
  ],
  [
    "an admin key of the environment",
    "listen: ${WHERE}\nadmin: { key: ${KEY} }",
    { WHERE: "127.0.0.1:9999", KEY: "from-there" },
    { listen, adminKey: "from-there" },
  ],
])("are found beside %s", (_name, text, env, expected) => {
  expect(read(text, env)).toEqual(expected);
});

test.each([
  [
    "an address in a variable that is not set",
    "listen: ${WHERE}",
    "1:9: listen: the environment variable WHERE is not set",
  ],
  ["an address that is none", "listen: nowhere", "1:9: listen: expected HOST:PORT"],
  ["text that is not YAML", "listen: [", "a bracket is not closed"],
  ["a list", "- listen", "1:1: expected"],
])("can't be told from %s", (_name, text, message) => {
  expect(read(text)).toContain(message);
});

test.each([
  ["data_dir: d\nlisten: nowhere\nadmin: 3", "d"],
  ["listen: ${WHERE}", "data"],
])("the store is found beside what is wrong elsewhere: %s", (text, directory) => {
  expect(read(text, {}, readDataDir)).toBe(join(folder, directory));
});

test("the store can't be told from a variable that is not set", () => {
  expect(read("data_dir: ./${NAME}", {}, readDataDir)).toContain(
    "1:13: data_dir: the environment variable NAME is not set",
  );
});
