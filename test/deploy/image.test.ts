// The image without a container engine: exactly the files that the Dockerfile copies, with exactly the packages that
// production has, run the command that the Dockerfile runs. What only an engine can show (users, mounts) is checked in
// the text.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCKERFILE = readFileSync(join(ROOT, "Dockerfile"), "utf8").replaceAll("\\\n", "");

function instructions(name: string): readonly string[] {
  return [...DOCKERFILE.matchAll(new RegExp(`^${name} (.+)$`, "gm"))].map(([, text = ""]) => text);
}

/** What is copied from the build's context, not from another stage. */
const COPIED = instructions("COPY")
  .filter((text) => !text.startsWith("--from"))
  .map((text) => text.split(" "))
  .map((words) => ({ sources: words.slice(0, -1), target: words.at(-1) ?? "" }));

/** The packages that `npm install --omit=dev` installs, from the lockfile. */
function productionPackages(): readonly string[] {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  return Object.entries<{ dev?: boolean }>(lock.packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .map(([path]) => path);
}

describe("the Dockerfile", () => {
  test("ends as a user that is not root, with a health check and a data volume", () => {
    expect(instructions("USER")).toEqual(["1000:1000"]);
    expect(instructions("VOLUME")).toEqual(["/data"]);
    expect(instructions("HEALTHCHECK")).toHaveLength(1);
    expect(instructions("FROM").every((image) => image.startsWith("node:24-slim"))).toBe(true);
  });

  test("copies only what the context holds", () => {
    const ignored = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
    expect(ignored).toContain("*");
    for (const source of COPIED.flatMap(({ sources }) => sources)) {
      expect(ignored).toContain(`!${source}`);
      expect(existsSync(join(ROOT, source))).toBe(true);
    }
  });

  test("needs no package for development, the pinned Node among them", () => {
    const names = productionPackages().map((path) => path.slice("node_modules/".length));
    expect(names).toContain("lmdb");
    expect(names.filter((name) => ["node", "vitest", "typescript", "zod-dev"].includes(name))).toEqual([]);
  });
});

describe("what the image holds", () => {
  let folder: string;
  let running: ChildProcess | undefined;
  let baseUrl: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sluice-image-"));
    for (const { sources, target } of COPIED.filter(({ target }) => target.startsWith("/app/"))) {
      for (const source of sources) {
        const to = target.endsWith("/") ? join(target, source) : target;
        cpSync(join(ROOT, source), join(folder, to), { recursive: true });
      }
    }
    for (const path of productionPackages()) {
      const from = join(ROOT, path);
      if (existsSync(from)) cpSync(from, join(folder, "app", path), { recursive: true, dereference: true });
    }
    for (const empty of ["data", "etc/sluice"]) mkdirSync(join(folder, empty), { recursive: true });
    baseUrl = await start();
  });

  afterAll(async () => {
    if (running?.exitCode === null) {
      running.kill("SIGKILL");
      await new Promise((resolve) => running?.once("exit", resolve));
    }
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the image's own command on a port of the system's choice, and reads the address that it prints. */
  async function start(): Promise<string> {
    const [command = []] = instructions("CMD").map((text): string[] => JSON.parse(text));
    const [entry = []] = instructions("ENTRYPOINT").map((text): string[] => JSON.parse(text));
    const args = [...entry.slice(1), ...command].map((word) =>
      word === "0.0.0.0:8787" ? "127.0.0.1:0" : word.startsWith("/") ? join(folder, word) : word,
    );
    running = spawn(process.execPath, args, {
      cwd: join(folder, "etc/sluice"),
      env: { NODE_ENV: "production" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (running.stdout === null) throw new Error("no output");
    for await (const line of createInterface(running.stdout)) {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (url !== undefined) return url;
    }
    throw new Error("The gateway ended before it said where it listens.");
  }

  test("serves a request", async () => {
    const answer = await fetch(`${baseUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "simulator/sim-echo", messages: [{ role: "user", content: "hello" }] }),
    });
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { choices: [{ message: { content: "hello" } }] },
    ]);
  });

  test("passes its own health check", async () => {
    const [check = ""] = instructions("HEALTHCHECK");
    const words: string[] = JSON.parse(check.slice(check.indexOf("[")));
    const script = (words[2] ?? "").replace("http://127.0.0.1:8787", baseUrl);
    const code = await new Promise((resolve) => {
      spawn(process.execPath, ["-e", script], { stdio: "ignore" }).once("exit", resolve);
    });
    expect(code).toBe(0);
  });

  test("writes to the data folder and nowhere else, and stops with 0", async () => {
    const before = readdirSync(join(folder, "data"));
    expect(before.length).toBeGreaterThan(0);
    const ended = new Promise((resolve) => running?.once("exit", resolve));
    running?.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(readdirSync(folder).toSorted()).toEqual(["app", "data", "etc"]);
    expect(readdirSync(join(folder, "app")).toSorted()).toEqual([
      "LICENSE",
      "node_modules",
      "package.json",
      "providers",
      "src",
    ]);
    expect(readdirSync(join(folder, "etc/sluice"))).toEqual([]);
  });
});

describe("deploy/compose.yaml", () => {
  const compose = parse(readFileSync(join(ROOT, "deploy/compose.yaml"), "utf8"), { merge: true });

  test("has three gateways, each with its own data and the others as siblings", () => {
    const names = ["gw-0", "gw-1", "gw-2"];
    const gateways = names.map((name) => compose.services[name]);
    expect(new Set(gateways.map(({ volumes }) => volumes[0])).size).toBe(3);
    for (const [at, { hostname, environment, read_only: isReadOnly }] of gateways.entries()) {
      expect(hostname).toBe(names[at]);
      expect(isReadOnly).toBe(true);
      const siblings = [environment.SLUICE_SIBLING_A, environment.SLUICE_SIBLING_B];
      expect(new Set([`${hostname}-fleet`, ...siblings])).toEqual(
        new Set(names.map((name) => `${name}-fleet`)),
      );
    }
  });

  test("has a network between siblings alone, which can be cut and healed by the names in the recipe", () => {
    const { name: project, networks, services } = compose;
    expect(networks).toEqual({ fleet: { internal: true } });
    expect(services.provider.networks).toBeUndefined();
    expect(services.load.networks).toBeUndefined();
    for (const name of ["gw-0", "gw-1", "gw-2"])
      expect(services[name].networks).toEqual({ default: {}, fleet: { aliases: [`${name}-fleet`] } });
    const recipe = readFileSync(join(ROOT, "deploy/compose.yaml"), "utf8").match(/docker network .*/g);
    expect(recipe).toEqual([
      `docker network disconnect ${project}_fleet ${project}-gw-1-1`,
      `docker network connect --alias gw-1-fleet ${project}_fleet ${project}-gw-1-1`,
    ]);
  });

  test("loads them at three times the quota, and tells what came of it", async () => {
    const { environment, configs } = compose.services.load;
    const gateways: string[] = environment.GATEWAYS.split(" ");
    expect(gateways.map((url) => compose.services[new URL(url).hostname] !== undefined)).toEqual([
      true,
      true,
      true,
    ]);
    const quota = Number(compose.services.provider.command[4]);
    expect(Number(environment.PER_SECOND) * 60).toBe(3 * quota);
    expect(compose.configs[configs[0].source].file).toBe("./load.mjs");
    const statuses = [200, 429, 503];
    const stub = createServer((request, response) => {
      const isAsked = request.url?.startsWith("/v1/") === true;
      const status = isAsked ? (statuses.shift() ?? 200) : 200;
      response.writeHead(status).end('{"requests":{"admitted":7,"refused":0}}');
    });
    await new Promise<void>((resolve) => stub.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(stub.address() as AddressInfo).port}`;
    const load = spawn(process.execPath, [join(ROOT, "deploy/load.mjs")], {
      env: { GATEWAYS: url, STATS: url, PER_SECOND: "20" },
    });
    const lines = createInterface(load.stdout)[Symbol.asyncIterator]();
    const { value: line } = await lines.next();
    load.kill();
    stub.close();
    stub.closeAllConnections();
    expect(line).toMatch(
      /^\d+ sent, \d+ served, 1 told to wait, 1 failed; the provider let in 7 and refused 0$/,
    );
  });

  test("gives them a configuration that is sound, with the quota that its provider enforces", async () => {
    const environment: Record<string, string> = compose.services["gw-0"].environment;
    const env = Object.fromEntries(
      Object.entries(environment).map(([name, text]) => [name, text.replace(/^\$\{\w+:-(.*)\}$/, "$1")]),
    );
    const { config, warnings } = await loadConfig({
      file: "deploy/sluice.yaml",
      cwd: ROOT,
      env,
      hostName: "gw-0",
    });
    expect(warnings).toEqual([]);
    expect(config.fleet.peers.map((peer) => peer.kind === "http" && peer.url)).toEqual([
      "http://gw-1-fleet:8788",
      "http://gw-2-fleet:8788",
    ]);
    const command: string[] = compose.services.provider.command;
    const limits = config.providers
      .get("pretend")
      ?.limits.map(({ dimension, amount }) => [`--${dimension}`, `${amount}`]);
    for (const [option = "", amount] of limits ?? [])
      expect(command[command.indexOf(option) + 1]).toBe(amount);
    expect(limits).toHaveLength(2);
  });
});
