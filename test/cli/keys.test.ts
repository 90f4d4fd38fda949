// Client keys and use through the operators' routes, the clients' own, and the command.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { parseCommandLine } from "../../src/cli/args.ts";
import { runKeys } from "../../src/cli/commands/key-commands.ts";
import { runLimits } from "../../src/cli/commands/status.ts";
import { openGateway, type Running } from "../../src/cli/wiring/wire.ts";
import type { Config } from "../../src/config/config.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { load } from "../config/setup.ts";
import { ManualClock } from "../manual-clock.ts";
import { memoryWriter } from "../observe/memory-writer.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-keys-"));
afterAll(() => rmSync(root, { recursive: true }));

let stores = 0;
let running: Running;
let writer = memoryWriter();

async function configOf(more = ""): Promise<Config> {
  const { config } = await load(`
listen: 127.0.0.1:0
data_dir: ${join(root, String(stores))}
providers:
  main:
    type: simulator
    models: { small: { prices: { input: 1, output: 2 } }, gratis: }
models: { smart: [ main/small ], any: [ { to: main/small, when: { keys: [ alice ] } }, main/gratis ] }
queue: { max_wait: 0 }
${more}
`);
  return config;
}

async function open(more?: string): Promise<void> {
  writer = memoryWriter();
  const observer = createObserver({
    writer,
    clock: new ManualClock(),
    level: "info",
    hasProcessMetrics: false,
  });
  running = await openGateway(await configOf(more), observer);
}

beforeEach(async () => {
  stores += 1;
  await open();
});

afterEach(() => stop());

async function stop(): Promise<void> {
  await running.finish();
  await running.handBack();
  await running.close();
}

type Headers = Readonly<Record<string, string>>;

async function ask(method: string, path: string, body?: string, headers: Headers = {}) {
  const url = `http://127.0.0.1:${running.port}${path}`;
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const made = z.object({ key: z.string() });

/** Makes a key and gives its secret. */
async function create(definition: object): Promise<string> {
  const { status, text } = await ask("POST", "/admin/keys", JSON.stringify(definition));
  if (status !== 201) throw new Error(text);
  return made.parse(JSON.parse(text)).key;
}

function chat(secret: string | null, model = "smart", headers: Headers = {}) {
  const body = JSON.stringify({ model, max_tokens: 50, messages: [{ role: "user", content: "Hello." }] });
  const own = secret === null ? {} : { authorization: `Bearer ${secret}` };
  return ask("POST", "/v1/chat/completions", body, {
    "content-type": "application/json",
    ...own,
    ...headers,
  });
}

/** The command's exit code and what it prints. */
async function run(words: readonly string[], command: typeof runKeys = runKeys): Promise<string> {
  const parsed = parseCommandLine([...words, "--url", `127.0.0.1:${running.port}`], "0");
  if (parsed.kind !== "run") throw new Error(parsed.text);
  let text = "";
  const print = (part: string): void => void (text += part);
  const code = await command(parsed, { out: print, err: print, cwd: "/", env: {}, hostName: "desk" });
  return `${code} ${text.trim()}`;
}

describe("a key that is made", () => {
  test("is asked for from then on, shows its secret once, and is listed by its beginning", async () => {
    expect((await chat(null)).status).toBe(200);
    const answer = await ask("POST", "/admin/keys", '{"name":"alice","tags":["x"]}');
    expect(answer.status).toBe(201);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { key } = made.parse(JSON.parse(answer.text));
    expect((await chat(null)).status).toBe(401);
    expect((await chat(key)).status).toBe(200);
    for (const path of ["/admin/keys", "/admin/keys/alice"]) {
      const { status, text } = await ask("GET", path);
      expect(status).toBe(200);
      expect(text).toContain(key.slice(0, 16));
      expect(text).not.toContain(key.slice(0, 17));
    }
    expect(writer.lines().join()).not.toContain(key.slice(0, 17));
  });

  test("is refused once it is revoked, also as the last one", async () => {
    const secret = await create({ name: "alice" });
    expect(await ask("DELETE", "/admin/keys/alice")).toMatchObject({ status: 200 });
    expect((await chat(secret)).status).toBe(401);
    expect((await chat(null)).status).toBe(401);
    expect((await ask("DELETE", "/admin/keys/alice")).status).toBe(404);
  });

  test("tells that it is the first, and the time without keys can come back when all are revoked", async () => {
    expect(await run(["keys", "create", "alice"])).toContain("It is the first: FROM NOW ON EVERY CALLER");
    expect(await run(["keys", "create", "bob"])).not.toContain("first");
    expect(await run(["keys", "open"])).toMatch(/^1 There are keys still \(2, `alice` among them\)/);
    for (const name of ["alice", "bob"]) await run(["keys", "revoke", name]);
    expect((await chat(null)).status).toBe(401);
    expect(await run(["keys", "open"])).toMatch(/^0 No key is asked any more/);
    expect((await chat(null)).status).toBe(200);
    expect(await run(["keys", "create", "alice"])).toContain("It is the first");
  });

  test("is what conditions on keys see", async () => {
    const [alice, bob] = [await create({ name: "alice" }), await create({ name: "bob" })];
    expect((await chat(alice, "any")).headers.get("x-sluice-model")).toBe("small");
    expect((await chat(bob, "any")).headers.get("x-sluice-model")).toBe("gratis");
  });

  test("may ask only for its models, at most with its priority, within its limits", async () => {
    const secret = await create({ name: "alice", models: ["smart"], limits: [{ requests: "2/day" }] });
    expect((await chat(secret, "main/gratis")).status).toBe(403);
    const answer = await chat(secret, "smart", { "x-sluice-priority": "high" });
    expect(answer.status).toBe(403);
    expect(answer.text).toContain("The key `alice` may not claim a priority above normal");
    expect((await chat(secret, "smart", { "x-sluice-priority": "urgent" })).status).toBe(400);
    expect((await chat(secret, "smart", { "x-sluice-priority": "low" })).status).toBe(200);
    expect((await chat(secret)).status).toBe(200);
    const refused = await chat(secret);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("x-sluice-error")).toBe("insufficient_quota");
    expect(refused.text).toContain("imit `requests: 2/day` of key `alice`");
  });

  test("works after a restart, and its budget goes on where it was", async () => {
    const secret = await create({ name: "alice", limits: [{ requests: "2/day" }] });
    await chat(secret);
    await stop();
    await open();
    expect((await chat(secret)).status).toBe(200);
    expect((await chat(secret)).status).toBe(429);
  });

  test("has a second secret while it is rotated", async () => {
    const first = await create({ name: "alice", limits: [{ requests: "3/day" }] });
    const rotated = await ask("POST", "/admin/keys/alice/rotate", '{"overlap":"1h"}');
    const { key: second } = made.parse(JSON.parse(rotated.text));
    expect([(await chat(first)).status, (await chat(second)).status]).toEqual([200, 200]);
    const again = await ask("POST", "/admin/keys/alice/rotate", '{"overlap":0}');
    const { key: third } = made.parse(JSON.parse(again.text));
    expect([(await chat(first)).status, (await chat(second)).status, (await chat(third)).status]).toEqual([
      401, 401, 200,
    ]);
    // They share the key's limits.
    expect((await chat(third)).status).toBe(429);
  });

  test("has limits that can be set at run time like those of the configuration", async () => {
    const secret = await create({ name: "alice", limits: [{ requests: "1/day" }] });
    expect((await chat(secret)).status).toBe(200);
    expect((await chat(secret)).status).toBe(429);
    expect(await run(["limits", "set", "key/alice/requests/day", "5"], runLimits)).toContain("0 ");
    const { text } = await ask("GET", "/admin/keys/alice");
    expect(text).toContain('"amount":5');
  });
});

describe("a definition", () => {
  test.each([
    ["", "The body must be JSON"],
    ['{"name":"alice","model":["smart"]}', '`model`: unknown key; did you mean "models"?'],
    [
      '{"name":"alice","models":["main/gratis","any"],"limits":[{"requests":"1/s"},{"usd":"5/day"}]}',
      "`limits[1]`: no price is known of main/gratis, so dollars can't be counted",
    ],
    ['{"name":"alice","expires":"2020-01-01"}', "`expires`: this lies in the past"],
    [`{"name":"alice","metadata":{"a":"${"x".repeat(5000)}"}}`, "too long"],
    [`{"name":"alice","metadata":${'{"a":'.repeat(2000)}1${"}".repeat(2000)}}`, ""],
  ])("that is wrong is refused, and nothing is made: %s", async (body, problem) => {
    const { status, text } = await ask("POST", "/admin/keys", body);
    expect(status).toBe(400);
    const { message } = z.object({ error: z.object({ message: z.string() }) }).parse(JSON.parse(text)).error;
    expect(message).toContain(problem);
    expect((await ask("GET", "/admin/keys")).text).toBe('{"keys":[]}');
  });

  test("of a name that exists is refused", async () => {
    const secret = await create({ name: "alice" });
    const again = await ask("POST", "/admin/keys", '{"name":"alice"}');
    expect(again.status).toBe(409);
    expect(again.headers.get("x-sluice-error")).toBe("already_exists");
    expect((await chat(secret)).status).toBe(200);
  });
});

describe("a key of the configuration", () => {
  const KEYS = "keys: [ { name: carol, key: secret-of-carol } ]";

  test("is listed, and is changed nowhere but there", async () => {
    await stop();
    await open(KEYS);
    expect((await ask("GET", "/admin/keys/carol")).text).toContain('"source":"config"');
    for (const [method, path, body] of [
      ["POST", "/admin/keys", '{"name":"carol"}'],
      ["POST", "/admin/keys/carol/rotate", ""],
      ["DELETE", "/admin/keys/carol", undefined],
    ] as const) {
      const { status, text } = await ask(method, path, body);
      expect([400, 409]).toContain(status);
      expect(text).toContain("configuration");
    }
    expect((await chat("secret-of-carol")).status).toBe(200);
  });

  test("can't take the name of one that was made at run time by a reload", async () => {
    const secret = await create({ name: "carol" });
    const config = await configOf(KEYS);
    expect(() => running.apply(config)).toThrow("a key `carol` was made at run time");
    expect((await chat(secret)).status).toBe(200);
    expect((await chat("secret-of-carol")).status).toBe(401);
  });

  test("holds at a start where both have its name, and the log says so", async () => {
    const secret = await create({ name: "carol" });
    await stop();
    await open(KEYS);
    expect((await chat(secret)).status).toBe(401);
    expect((await chat("secret-of-carol")).status).toBe(200);
    expect(writer.lines().join()).toContain("a key of run time is out of force");
  });
});

describe("rotating and naming", () => {
  test.each([
    ["POST", "/admin/keys/nobody/rotate", "", 404, "There is no key `nobody`"],
    ["GET", "/admin/keys/alcie", undefined, 404, 'did you mean \\"alice\\"?'],
    ["POST", "/admin/keys/alice/rotate", '{"overlap":"-1h"}', 400, "a duration can't be negative"],
    ["POST", "/admin/keys/alice/rotate", '{"overlap":"100d"}', 400, "a duration can be at most 24d"],
    ["POST", "/admin/keys/alice/rotate", '{"over":"1h"}', 400, "The body must be JSON such as"],
    ["POST", "/admin/keys/alice/rotate", "nonsense", 400, "The body must be JSON such as"],
    ["PUT", "/admin/keys", "{}", 405, "answers"],
  ] as const)("%s %s %s is answered with %d: %s", async (method, path, body, expected, problem) => {
    await create({ name: "alice" });
    const { status, text } = await ask(method, path, body);
    expect(status).toBe(expected);
    if (expected !== 405) expect(text).toContain(problem);
  });
});

describe("use", () => {
  test("equals what was settled, by key and for the key itself", async () => {
    const [alice, bob] = [await create({ name: "alice" }), await create({ name: "bob" })];
    const usage = z.object({ usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }) });
    let [input, output] = [0, 0];
    for (let at = 0; at < 3; at++) {
      const { text } = await chat(alice);
      const { prompt_tokens, completion_tokens } = usage.parse(JSON.parse(text)).usage;
      input += prompt_tokens;
      output += completion_tokens;
    }
    await chat(bob, "nonsense");
    const own = await ask("GET", "/v1/usage?group_by=model", undefined, { authorization: `Bearer ${alice}` });
    expect(JSON.parse(own.text)).toMatchObject({
      key: "alice",
      data: [
        {
          model: "small",
          requests: 3,
          errors: 0,
          input_tokens: input,
          output_tokens: output,
          micro_usd: input + 2 * output,
        },
      ],
      limits: [],
    });
    const all = await ask("GET", "/admin/usage?group_by=key");
    expect(JSON.parse(all.text)).toMatchObject({
      data: [
        { key: "alice", requests: 3 },
        { key: "bob", requests: 1, errors: 1, input_tokens: 0 },
      ],
      total: { requests: 4, errors: 1, micro_usd: input + 2 * output },
    });
  });

  test("of a key is told with what is left of its limits", async () => {
    const secret = await create({
      name: "alice",
      models: ["smart"],
      limits: [{ usd: "5/month" }, { requests: "10/day" }],
    });
    await chat(secret);
    const { text } = await ask("GET", "/v1/usage", undefined, { "x-api-key": secret });
    const parsed = z
      .object({
        total: z.object({ usd: z.number() }),
        limits: z.array(z.object({ limit: z.string(), of: z.number(), left: z.number() })),
      })
      .parse(JSON.parse(text));
    expect(parsed.limits).toMatchObject([
      { limit: "usd: 5/month", of: 5 },
      { limit: "requests: 10/day", of: 10, left: 9 },
    ]);
    expect(parsed.limits[0]?.left).toBeCloseTo(5 - parsed.total.usd, 6);
  });

  test.each([
    ["/admin/usage?from=yesterday", "`from` must be a day"],
    ["/admin/usage?group_by=team", "`group_by` takes"],
    ["/v1/usage?from=2030-01-02&to=2030-01-01", "`from` is after `to`"],
  ])("%s is refused: %s", async (path, problem) => {
    const { status, text } = await ask("GET", path);
    expect(status).toBe(400);
    expect(text).toContain(problem);
  });
});

describe("the command", () => {
  test("makes, lists, rotates and revokes keys, and shows what was used", async () => {
    expect(await run(["keys"])).toBe("0 There are no client keys.");
    const printed = await run([
      "keys",
      "create",
      "alice",
      "--limits",
      "usd=5/month, requests: 60/min",
      "--models",
      "smart",
      "--expires",
      "90d",
    ]);
    const secret = /sk-sluice-\S+$/.exec(printed)?.[0] ?? "";
    expect((await chat(secret)).status).toBe(200);
    expect(await run(["keys", "list"])).toMatch(
      /alice\s+runtime\s+active\s+sk-sluice-\S{6}…\s+normal\s+smart\s+usd: 5\/month, requests: 60\/min/,
    );
    expect(await run(["keys", "usage", "--by", "key,model"])).toMatch(/alice\s+small\s+1\s+0/);
    const rotated = await run(["keys", "rotate", "alice", "--overlap", "0"]);
    expect((await chat(secret)).status).toBe(401);
    expect((await chat(/sk-sluice-\S+$/.exec(rotated)?.[0] ?? "")).status).toBe(200);
    expect(await run(["keys", "revoke", "alice"])).toContain("0 The key `alice` is refused from now on");
    expect(await run(["keys", "list", "--json"])).toBe('0 {"keys":[]}');
  });

  test.each([
    [["keys", "create"], "1 Write `sluice keys`"],
    [["keys", "lst"], "1 Write `sluice keys`"],
    [["keys", "revoke", "nobody"], "1 There is no key `nobody`."],
    [["keys", "create", "alice", "--limits", "lots"], "1 `lots` is not a limit such as usd=200/month."],
    [["keys", "create", "alice", "--priority", "urgent"], "1 `priority`: expected one of"],
    [["keys", "usage", "--from", "monday"], "1 `from` must be a day"],
  ])("%j says what is wrong", async (words, problem) => {
    expect(await run(words)).toContain(problem);
  });
});
