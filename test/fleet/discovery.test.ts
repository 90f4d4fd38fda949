import { describe, expect, test } from "vitest";
import { type AddressedPeer, Discovery, type Resolver } from "../../src/fleet/discovery.ts";

/** A resolver that answers from a table; what is not in it can't be resolved. */
function resolver(table: {
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  readonly services?: Readonly<Record<string, readonly { name: string; port: number }[]>>;
}): Resolver {
  const find = <Value>(found: Value | undefined, name: string): Promise<Value> =>
    found === undefined ? Promise.reject(new Error(`ENOTFOUND ${name}`)) : Promise.resolve(found);
  return {
    addresses: (host) => find(table.addresses?.[host], host),
    services: (name) => find(table.services?.[name], name),
  };
}

const http = (url: string): AddressedPeer => ({ kind: "http", url });
const dns = (host: string, port = 1): AddressedPeer => ({ kind: "dns", host, port });

describe("finding siblings", () => {
  test("configured addresses stand as they are, once each", () => {
    const discovery = new Discovery([
      http("http://gw-1:8788"),
      http("http://gw-1:8788"),
      http("http://gw-2:8788"),
    ]);
    expect(discovery.addresses()).toEqual(["http://gw-1:8788", "http://gw-2:8788"]);
    expect(discovery.isDynamic).toBe(false);
  });

  test("a name stands for all of its addresses, of both families", async () => {
    const table = { addresses: { headless: ["10.0.0.2", "10.0.0.1", "fd00::1"] } };
    const discovery = new Discovery([dns("headless", 9000)], resolver(table));
    await discovery.resolve();
    expect(discovery.addresses()).toEqual([
      "http://10.0.0.1:9000",
      "http://10.0.0.2:9000",
      "http://[fd00::1]:9000",
    ]);
  });

  test("an SRV record names hosts and ports", async () => {
    const services = {
      "_fleet._tcp.sluice": [
        { name: "a", port: 1001 },
        { name: "b", port: 1002 },
      ],
    };
    const table = { services, addresses: { a: ["10.0.0.1"], b: ["10.0.0.2", "10.0.0.3"] } };
    const discovery = new Discovery([dns("_fleet._tcp.sluice")], resolver(table));
    await discovery.resolve();
    expect(discovery.addresses()).toEqual([
      "http://10.0.0.1:1001",
      "http://10.0.0.2:1002",
      "http://10.0.0.3:1002",
    ]);
  });

  test("a host of an SRV record that can't be resolved keeps no other from being found, and is told", async () => {
    const targets = (...names: readonly string[]) => ({
      "_fleet._tcp.sluice": names.map((name) => ({ name, port: 1000 })),
    });
    const addresses: Record<string, readonly string[]> = { a: ["10.0.0.1"] };
    let services = targets("a", "gone");
    const discovery = new Discovery([dns("_fleet._tcp.sluice")], {
      addresses: (host) => resolver({ addresses }).addresses(host),
      services: (name) => resolver({ services }).services(name),
    });
    const found = async (): Promise<readonly string[]> => {
      await discovery.resolve();
      return discovery.addresses();
    };
    expect(await found()).toEqual(["http://10.0.0.1:1000"]);
    expect([...discovery.faults()]).toEqual([["gone", "ENOTFOUND gone"]]);
    addresses["gone"] = ["10.0.0.2"];
    expect(await found()).toEqual(["http://10.0.0.1:1000", "http://10.0.0.2:1000"]);
    expect(discovery.faults().size).toBe(0);
    delete addresses["a"];
    delete addresses["gone"];
    expect(await found()).toEqual(["http://10.0.0.1:1000", "http://10.0.0.2:1000"]);
    services = targets("gone");
    expect(await found()).toEqual(["http://10.0.0.2:1000"]);
  });

  test("an SRV record that names a record is asked no further", async () => {
    let asked = 0;
    const discovery = new Discovery([dns("_fleet._tcp.sluice")], {
      addresses: () => Promise.reject(new Error("no such host")),
      services: (name) => {
        asked += 1;
        return Promise.resolve([{ name, port: 1 }]);
      },
    });
    await discovery.resolve();
    expect(asked).toBe(1);
    expect(discovery.addresses()).toEqual([]);
  });

  test("a name that fails keeps the addresses known last, says why, and takes the new ones when it is back", async () => {
    const addresses: Record<string, readonly string[]> = { headless: ["10.0.0.1"] };
    const discovery = new Discovery([dns("headless")], resolver({ addresses }));
    await discovery.resolve();
    delete addresses["headless"];
    await discovery.resolve();
    expect(discovery.addresses()).toEqual(["http://10.0.0.1:1"]);
    expect([...discovery.faults().values()]).toEqual(["ENOTFOUND headless"]);
    addresses["headless"] = [];
    await discovery.resolve();
    expect(discovery.addresses()).toEqual(["http://10.0.0.1:1"]);
    addresses["headless"] = ["10.0.0.9"];
    await discovery.resolve();
    expect(discovery.addresses()).toEqual(["http://10.0.0.9:1"]);
    expect(discovery.faults().size).toBe(0);
  });

  test("it is complete once every name has been resolved, and not while one can't be", async () => {
    const addresses: Record<string, readonly string[]> = { one: ["10.0.0.1"] };
    const discovery = new Discovery(
      [http("http://gw-1:8788"), dns("one"), dns("two")],
      resolver({ addresses }),
    );
    expect(discovery.isComplete).toBe(false);
    await discovery.resolve();
    expect(discovery.isComplete).toBe(false);
    addresses["two"] = ["10.0.0.2"];
    await discovery.resolve();
    expect(discovery.isComplete).toBe(true);
    expect(new Discovery([http("http://gw-1:8788")]).isComplete).toBe(true);
  });

  test("a slow resolver is not asked again while it is being asked", async () => {
    let asked = 0;
    let answer: (addresses: readonly string[]) => void = () => {};
    const slow: Resolver = {
      addresses: () => {
        asked += 1;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
      services: () => Promise.resolve([]),
    };
    const discovery = new Discovery([dns("headless")], slow);
    const both = Promise.all([discovery.resolve(), discovery.resolve()]);
    answer(["10.0.0.1"]);
    await both;
    expect(asked).toBe(1);
    expect(discovery.addresses()).toEqual(["http://10.0.0.1:1"]);
  });

  test("a name can't stand for an unbounded number of addresses", async () => {
    const many = Array.from({ length: 5000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    const discovery = new Discovery([dns("headless")], resolver({ addresses: { headless: many } }));
    await discovery.resolve();
    expect(discovery.addresses()).toHaveLength(256);
  });
});
