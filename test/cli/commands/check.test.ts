import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runCheck } from "../../../src/cli/commands/check.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function check(yaml: string): Promise<{ code: number; out: string; err: string }> {
  writeFileSync(join(folder, "sluice.yaml"), yaml);
  let out = "";
  let err = "";
  const code = await runCheck(
    { cwd: folder, env: {}, hostName: "host" },
    { out: (text) => (out += text), err: (text) => (err += text) },
  );
  return { code, out: out.replaceAll(folder, "FOLDER").replaceAll(/\d+ models/g, "N models"), err };
}

describe("sluice check", () => {
  test("tells what a sound configuration amounts to, without secrets", async () => {
    const { code, out, err } = await check(
      `
providers:
  main:
    type: openai
    api_key: hidden-api-key
    limits: [ { requests: 500/min }, { concurrent: 8 } ]
    models: { gpt-5: { limits: [ { tokens: 30_000/min } ] } }
  local: { type: vllm, limits: auto }
models:
  smart: [ main/gpt-5, fast ]
  fast: { strategy: most_room, targets: [ local/llama ] }
keys:
  - { name: team-a, key: hidden-client-key, models: [ smart ], priority: high, limits: [ { usd: 200/month } ] }
  - { name: team-b, key: hidden-client-key-b }
fleet: { listen: 127.0.0.1:8788, peers: [ http://gw-1:8788 ], secret: hidden-secret-of-all, name: gw-0 }
`.replace("models: [ smart ]", "models: [ main/gpt-5 ]"),
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(`The configuration is sound: FOLDER/sluice.yaml.
  listen    127.0.0.1:8787
  data      FOLDER/data
  providers main (openai): https://api.openai.com/v1, N models known
            local (vllm): http://127.0.0.1:8000/v1
  models    smart → main/gpt-5, fast
            fast → local/llama (most_room)
  limits    main: requests: 500/min, concurrent: 8
            main/gpt-5: tokens: 30000/min
            local: learned from its answers
            key team-a: usd: 200/month
  keys      team-a: main/gpt-5, priority high
            team-b: everything
  fleet     gw-0 with http://gw-1:8788
`);
  });

  test("keeps user and password of NATS to itself", async () => {
    const { out } = await check(
      "fleet: { name: gw-0, peers: [ 'nats://ann:pass%40word@nats:4222' ], secret: hidden-secret-of-all }",
    );
    expect(out).toContain("  fleet     gw-0 with nats://nats:4222\n");
  });

  test("warns of what may not be meant, and is content", async () => {
    const { code, out, err } = await check(
      "providers: { m: { type: openai, api_key: k } }\nmodels: { a: [ m/gtp-5 ] }",
    );
    expect(code).toBe(0);
    expect(out).toContain("sound");
    expect(err).toMatch(/^sluice.yaml:2:16: models.a\[0\]: m is not known/);
  });

  test("lists everything that is wrong", async () => {
    const { code, out, err } = await check("queue: { max_wiat: 5s }\nretry: { attempts: 0 }\n");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(
      'sluice.yaml:1:10: queue.max_wiat: unknown key; did you mean "max_wait"?\n' +
        "sluice.yaml:2:20: retry.attempts: expected a whole number from 1 to 20\n" +
        "The configuration has 2 problems.\n",
    );
  });
});
