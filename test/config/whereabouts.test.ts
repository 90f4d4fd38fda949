// Commands beside the gateway read where it is, and nothing else in the file can keep them from it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readWhereabouts } from "../../src/config/load.ts";
import { folder } from "./setup.ts";

function read(text: string, env: Readonly<Record<string, string>> = {}): unknown {
  const file = join(folder, "where.yaml");
  writeFileSync(file, text);
  try {
    return readWhereabouts({ file, cwd: folder, env, hostName: "host" });
  } catch (error) {
    return error instanceof Error ? error.message.replaceAll(`${file}:`, "") : error;
  }
}

const listen = { host: "127.0.0.1", port: 9999, isLoopback: true };

test.each([
  [
    "variables that are not set here",
    "listen: 127.0.0.1:9999\nadmin: { key: ${KEY} }\nproviders: { openai: { api_key: ${NOT_SET} } }",
    {},
    { listen, dataDir: join(folder, "data"), adminKey: null },
  ],
  [
    "keys that are unknown or wrong",
    "listen: 127.0.0.1:9999\ndata_dir: d\nqueue: { max_wait: never }\nprovders: 1\nadmin: { key: abc }",
    {},
    { listen, dataDir: join(folder, "d"), adminKey: "abc" },
  ],
  [
    "an admin key of the environment",
    "listen: ${WHERE}\nadmin: { key: ${KEY} }",
    { WHERE: "127.0.0.1:9999", KEY: "from-there" },
    { listen, dataDir: join(folder, "data"), adminKey: "from-there" },
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
