// `dns://` through the system's own resolver: the hosts file for names, and a DNS server on loopback for SRV records.
import { Resolver as Records } from "node:dns/promises";
import { afterEach, describe, expect, test } from "vitest";
import { Discovery, systemResolver } from "../../src/fleet/discovery.ts";
import { ManualClock } from "../manual-clock.ts";
import {
  answerNameError,
  answerServices,
  answerTruncated,
  type DnsServer,
  type Script,
  startDnsServer,
} from "./dns-server.ts";

const NAME = "_fleet._tcp.sluice";

let server: DnsServer | undefined;
let records: Records | undefined;

afterEach(async () => {
  records?.cancel();
  await server?.close();
  server = undefined;
  records = undefined;
});

/** Siblings by an SRV record whose server answers so. */
async function discoveryWith(script: Script, clock = new ManualClock()): Promise<Discovery> {
  server = await startDnsServer(script);
  records = new Records({ timeout: 60_000, tries: 2 });
  records.setServers([server.address]);
  return new Discovery([{ kind: "dns", host: NAME, port: 1 }], systemResolver(records), clock);
}

async function expectUnresolved(script: Script, reason: RegExp): Promise<void> {
  const discovery = await discoveryWith(script);
  await discovery.resolve();
  expect(discovery.addresses()).toEqual([]);
  expect(discovery.isComplete).toBe(false);
  expect(discovery.faults().get(NAME)).toMatch(reason);
}

describe("a name", () => {
  test("is found where the system finds it, in the hosts file too", async () => {
    const addresses = await systemResolver().addresses("localhost");
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.every((address) => address === "::1" || address.startsWith("127."))).toBe(true);
  });

  test("that no system can find is a fault that names it", async () => {
    // One label of a name has at most 63 bytes (RFC 1035), so nobody is asked.
    const host = "x".repeat(64);
    const discovery = new Discovery([{ kind: "dns", host, port: 1 }]);
    await discovery.resolve();
    expect(discovery.addresses()).toEqual([]);
    expect(discovery.faults().get(host)).toMatch(/ENOTFOUND/);
  });
});

describe("an SRV record", () => {
  test("is asked for, and its hosts are found by the system", async () => {
    const discovery = await discoveryWith((question) =>
      answerServices(question, [
        { name: "localhost", port: 1001 },
        { name: "localhost", port: 65_535 },
      ]),
    );
    await discovery.resolve();
    expect(discovery.faults().size).toBe(0);
    expect(discovery.addresses()).toContain("http://127.0.0.1:1001");
    expect(discovery.addresses()).toContain("http://127.0.0.1:65535");
  });

  test("that is too long for a datagram is fetched over TCP", async () => {
    const services = Array.from({ length: 100 }, (_, index) => ({ name: "localhost", port: 1000 + index }));
    const discovery = await discoveryWith((question, transport) =>
      transport === "udp" ? answerTruncated(question) : answerServices(question, services),
    );
    await discovery.resolve();
    const ports = new Set(discovery.addresses().map((address) => new URL(address).port));
    expect(ports).toEqual(new Set(services.map(({ port }) => String(port))));
  });

  test("whose name does not exist is a fault that says so", () =>
    expectUnresolved(answerNameError, /ENOTFOUND/));

  test("without any host is a fault that says so", () =>
    expectUnresolved((question) => answerServices(question, []), /ENODATA/));

  test.each<[string, Script]>([
    [
      "cut off in its midst",
      (question) => answerServices(question, [{ name: "a", port: 1 }]).subarray(0, -5),
    ],
    ["cut off in its head", (question) => question.subarray(0, 7)],
    [
      "garbage behind the question's number",
      (question) => Buffer.from([...question.subarray(0, 2), ...Buffer.alloc(30, 255)]),
    ],
    ["a page of HTML", () => Buffer.from("<html><body>It works!</body></html>")],
  ])("whose answer is %s is a fault that says so", (_, script) => expectUnresolved(script, /EBADRESP/));

  test("that nobody answers for is given up when its time is over, and keeps the addresses known last", async () => {
    const clock = new ManualClock();
    const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
    let isSilent = false;
    const discovery = await discoveryWith((question) => {
      if (!isSilent) return answerServices(question, [{ name: "localhost", port: 1001 }]);
      asked();
      return null;
    }, clock);
    await discovery.resolve();
    const known = discovery.addresses();
    expect(known.length).toBeGreaterThan(0);
    isSilent = true;
    const resolved = discovery.resolve();
    await isAsked;
    clock.advance(3000);
    await resolved;
    expect(discovery.faults().get(NAME)).toBe("no answer within 3 s");
    expect(discovery.addresses()).toEqual(known);
    expect(clock.pending()).toBe(0);
  });
});
