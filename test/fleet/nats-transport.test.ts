// Against a real nats-server. Where there is none these tests are skipped; Debian's package is `nats-server`.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { type NatsTransport, openNatsTransport } from "../../src/fleet/nats-transport.ts";
import type { Receive } from "../../src/fleet/transport.ts";
import { type Log, silentLog } from "../../src/observe/events.ts";
import { describeTransport, type Station } from "../contract/transport.ts";
import { freePort } from "../free-port.ts";
import { hasNatsServer, type NatsServer, startNatsServer } from "./nats-server.ts";

const SECRET = "a secret of the fleet";
const quiet: Receive = (message) => Promise.resolve(message);

if (!hasNatsServer)
  console.warn(
    "SKIPPED: the NATS tests need `nats-server` on the PATH (Debian: apt-get install nats-server).",
  );

/** Resolves when the condition holds; asked at each turn of the event loop, so no time is guessed. */
async function until(condition: () => boolean): Promise<void> {
  do {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  } while (!condition());
}

describe.skipIf(!hasNatsServer)("NATS", () => {
  let server: NatsServer;
  let prefix = 0;

  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server.stop());

  function open(
    session: string,
    receive: Receive = quiet,
    url = server.url,
    log: Log = silentLog,
  ): Promise<NatsTransport> {
    return openNatsTransport({
      secret: SECRET,
      session,
      receive,
      servers: [url],
      prefix: `t${prefix}`,
      clock: systemClock,
      log,
    });
  }

  describeTransport("NATS", {
    async open(options): Promise<Station> {
      const transport = await openNatsTransport({
        ...options,
        servers: [server.url],
        prefix: "contract",
        clock: systemClock,
        log: silentLog,
      });
      await transport.connected();
      return { transport, address: options.session };
    },
    async meet(left, right) {
      // Replicas with different secrets never see each other; both are connected, which is all that can be waited for.
      const isHidden = (): boolean => right.transport.refused().has("wrong_secret");
      await until(() => left.transport.peers().includes(right.address) || isHidden());
    },
  });

  test("a notice reaches every sibling at once, and nobody else", async () => {
    prefix += 1;
    const heard: string[] = [];
    const listen =
      (name: string): Receive =>
      (message) => {
        heard.push(`${name}:${Buffer.from(message).toString()}`);
        return Promise.resolve(new Uint8Array());
      };
    const [one, two, three] = await Promise.all([
      open("one", listen("one")),
      open("two", listen("two")),
      open("three", listen("three")),
    ]);
    await until(() => one.peers().length === 2 && two.peers().length === 2 && three.peers().length === 2);
    one.publish(Buffer.from("rows"));
    await until(() => heard.length === 2);
    expect(heard.sort()).toEqual(["three:rows", "two:rows"]);
    await Promise.all([one, two, three].map((transport) => transport.close()));
  });

  test("a replayed notice is refused and counted", async () => {
    prefix += 1;
    const heard: Uint8Array[] = [];
    const listener = await open("listener", (message) => {
      heard.push(message);
      return Promise.resolve(new Uint8Array());
    });
    const sender = await open("sender");
    await until(() => sender.peers().length === 1);
    const { connect } = await import("@nats-io/transport-node");
    const tap = await connect({ servers: server.url });
    const frames: Uint8Array[] = [];
    tap.subscribe(`t${prefix}.all`, {
      callback: (_, message) => {
        frames.push(Uint8Array.from(message.data));
      },
    });
    await tap.flush();
    sender.publish(Buffer.from("rows"));
    await until(() => heard.length === 1 && frames.length > 0);
    for (const frame of frames) tap.publish(`t${prefix}.all`, frame);
    await until(() => (listener.refused().get("replayed") ?? 0) > 0);
    expect(heard).toHaveLength(1);
    await Promise.all([listener.close(), sender.close(), tap.close()]);
  });

  test("a broker that is not there yet does not keep a replica from starting, and is used once it comes", async () => {
    const port = await freePort();
    const url = `nats://127.0.0.1:${port}`;
    const early = await open("early", quiet, url);
    expect(early.peers()).toEqual([]);
    await expect(early.exchange("anybody", Uint8Array.of(1), 100)).rejects.toMatchObject({
      fault: "unreachable",
    });
    const late = await startNatsServer(port);
    const other = await open("other", quiet, url);
    await until(() => early.peers().includes("other") && other.peers().includes("early"));
    expect([...(await early.exchange("other", Uint8Array.of(9), 2000))]).toEqual([9]);
    await Promise.all([early.close(), other.close()]);
    await late.stop();
  });

  test("a broker that restarts is found again", async () => {
    const broker = await startNatsServer();
    const url = broker.url;
    const [left, right] = await Promise.all([open("left", quiet, url), open("right", quiet, url)]);
    await until(() => left.peers().includes("right"));
    await broker.stop();
    await expect(left.exchange("right", Uint8Array.of(1), 100)).rejects.toMatchObject({
      fault: "unreachable",
    });
    const back = await startNatsServer(broker.port);
    const answer = async (): Promise<string> =>
      left.exchange("right", Uint8Array.of(5), 200).then(
        (bytes) => bytes.join(","),
        () => "none",
      );
    while ((await answer()) === "none");
    expect(await answer()).toBe("5");
    await Promise.all([left.close(), right.close()]);
    await back.stop();
  });

  test("user and password are found in any of the servers' URLs", async () => {
    const broker = await startNatsServer(undefined, ["--user", "u", "--pass", "p"]);
    const host = `127.0.0.1:${broker.port}`;
    const transport = await openNatsTransport({
      secret: SECRET,
      session: "left",
      receive: quiet,
      servers: [`nats://${host}`, `nats://u:p@${host}`],
      prefix: "users",
      clock: systemClock,
      log: silentLog,
    });
    await transport.connected();
    expect(transport.areAllKnown()).toBe(true);
    await transport.close();
    await broker.stop();
  });

  test("a broker that refuses the password is asked again until it does not, and the log says so once each time", async () => {
    const refusing = await startNatsServer(undefined, ["--user", "u", "--pass", "another"]);
    const url = `nats://u:p@127.0.0.1:${refusing.port}`;
    const lines: string[] = [];
    const log: Log = {
      ...silentLog,
      error: (_, fields) => void lines.push(String(fields?.["reason"])),
      info: (message) => void lines.push(message),
    };
    const left = await open("left", quiet, url, log);
    await until(() => lines.length === 1);
    await refusing.stop();
    const accepting = ["--user", "u", "--pass", "p"];
    let broker = await startNatsServer(refusing.port, accepting);
    const right = await open("right", quiet, url);
    await until(() => left.peers().includes("right"));
    expect(lines).toEqual([expect.stringMatching(/authorization/i), "connected to NATS again"]);
    lines.length = 0;
    await broker.stop();
    // Refused by one that it has been connected to, the client itself would give up.
    broker = await startNatsServer(refusing.port, ["--user", "u", "--pass", "another"]);
    await until(() => lines.some((line) => /authorization/i.test(line)));
    await broker.stop();
    broker = await startNatsServer(refusing.port, accepting);
    await until(() => lines.at(-1) === "connected to NATS again");
    let answer = "none";
    const ask = (): Promise<string> =>
      left.exchange("right", Uint8Array.of(5), 500).then(
        (bytes) => bytes.join(","),
        () => "none",
      );
    for (; answer === "none"; answer = await ask()) await until(() => true);
    expect(answer).toBe("5");
    await Promise.all([left.close(), right.close()]);
    await broker.stop();
  }, 30_000);
});
