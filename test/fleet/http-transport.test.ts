import { createServer, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type HttpTransport, openHttpTransport } from "../../src/fleet/http-transport.ts";
import { sealFrame } from "../../src/fleet/seal.ts";
import { MESSAGE_BYTES_MAX, TransportError } from "../../src/fleet/transport.ts";
import { describeTransport, type Station, type StationOptions } from "../contract/transport.ts";

const open: HttpTransport[] = [];
const known = new Set<string>();

async function openStation(options: StationOptions): Promise<Station> {
  const transport = await openHttpTransport({
    ...options,
    listen: { host: "127.0.0.1", port: 0 },
    peers: () => [...known].filter((address) => !address.endsWith(`:${transport.port}`)),
  });
  const address = `http://127.0.0.1:${transport.port}`;
  known.add(address);
  return { transport, address };
}

describeTransport("HTTP", { open: openStation, meet: () => Promise.resolve() });

const SECRET = "a secret of the fleet";

async function listen(): Promise<{ readonly transport: HttpTransport; readonly received: Uint8Array[] }> {
  const received: Uint8Array[] = [];
  const transport = await openHttpTransport({
    secret: SECRET,
    session: "receiver",
    peers: () => [],
    listen: { host: "127.0.0.1", port: 0 },
    receive: (message) => {
      received.push(message);
      return Promise.resolve(Uint8Array.of(1));
    },
  });
  open.push(transport);
  return { transport, received };
}

/** Posts raw bytes as a stranger would. */
function post(port: number, body: Uint8Array, path = "/fleet/sync", method = "POST"): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, method, agent: false }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

function frame(
  number: number,
  changes: { readonly to?: string; readonly direction?: "request" | "answer" | "notice" } = {},
) {
  const envelope = {
    direction: "request",
    from: "sender",
    to: "receiver",
    number,
    outcome: "ok",
    ...changes,
  } as const;
  return sealFrame(SECRET, { envelope, body: Uint8Array.of(7) });
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

describe("a sibling's port", () => {
  test("takes a sealed message once: a replay is refused, counted and changes nothing", async () => {
    const { transport, received } = await listen();
    expect(await post(transport.port, frame(1))).toBe(200);
    expect(await post(transport.port, frame(1))).toBe(200);
    expect(received).toHaveLength(1);
    expect(transport.refused().get("replayed")).toBe(1);
  });

  test("refuses a message meant for the process that was here before", async () => {
    const { transport, received } = await listen();
    await post(transport.port, frame(1, { to: "before" }));
    expect(received).toHaveLength(0);
    expect(transport.refused().get("replayed")).toBe(1);
  });

  test.each([
    ["bytes that are no frame", Buffer.from("hello"), "malformed"],
    ["nothing", new Uint8Array(), "malformed"],
    ["a frame cut short", frame(1).subarray(0, 60), "malformed"],
    ["a frame without its body", frame(1).subarray(0, frame(1).length - 1), "wrong_secret"],
    ["an answer as a request", frame(1, { direction: "answer" }), "malformed"],
    ["a notice as a request", frame(1, { direction: "notice", to: "all" }), "malformed"],
    ["a frame with one bit changed", flipped(frame(1)), "wrong_secret"],
    ["a line without end", Buffer.alloc(100_000, "a"), "malformed"],
  ])("refuses %s", async (_, bytes, fault) => {
    const { transport, received } = await listen();
    expect(await post(transport.port, bytes)).toBe(401);
    expect(received).toHaveLength(0);
    expect([...transport.refused()]).toEqual([[fault, 1]]);
  });

  test("refuses a message that is too large without reading it", async () => {
    const { transport, received } = await listen();
    const status = await new Promise<string>((resolve) => {
      const socket = connect(transport.port, "127.0.0.1", () =>
        socket.write(
          `POST /fleet/sync HTTP/1.1\r\nhost: x\r\ncontent-length: ${MESSAGE_BYTES_MAX * 2}\r\n\r\n`,
        ),
      );
      socket.once("data", (data) => {
        resolve(data.toString().slice(9, 12));
        socket.destroy();
      });
    });
    expect(status).toBe("413");
    expect(received).toHaveLength(0);
    expect(transport.refused().get("oversized")).toBe(1);
  });

  test.each([["/"], ["/fleet/sync/x"]])("knows no other path: %s", async (path) => {
    const { transport } = await listen();
    expect(await post(transport.port, frame(1), path)).toBe(404);
    expect(await post(transport.port, new Uint8Array(), "/fleet/sync", "PUT")).toBe(404);
  });

  test("recognises an address that leads back to itself, and no longer lists it", async () => {
    const addresses: string[] = [];
    const transport = await openHttpTransport({
      secret: SECRET,
      session: "me",
      listen: { host: "127.0.0.1", port: 0 },
      peers: () => addresses,
      receive: () => Promise.reject(new Error("must not be asked")),
    });
    open.push(transport);
    addresses.push(`http://127.0.0.1:${transport.port}`, "http://127.0.0.1:1");
    await expect(transport.exchange(addresses[0] ?? "", Uint8Array.of(1), 2000)).rejects.toMatchObject({
      fault: "self",
    });
    expect(transport.peers()).toEqual(["http://127.0.0.1:1"]);
  });
});

describe("traffic", () => {
  async function sender(): Promise<HttpTransport> {
    const transport = await openHttpTransport({
      secret: SECRET,
      session: "sender",
      peers: () => [],
      listen: { host: "127.0.0.1", port: 0 },
      receive: () => Promise.resolve(new Uint8Array()),
    });
    open.push(transport);
    return transport;
  }

  test("is received as it was sent, and none of strangers", async () => {
    const [{ transport: receiver }, from] = [await listen(), await sender()];
    await from.exchange(`http://127.0.0.1:${receiver.port}`, Uint8Array.of(1, 2, 3), 2000);
    const { sentBytes, receivedBytes } = from.traffic();
    expect(receiver.traffic()).toEqual({ sentBytes: receivedBytes, receivedBytes: sentBytes });
    await post(receiver.port, Buffer.from("a stranger's bytes"));
    expect(receiver.traffic()).toEqual({ sentBytes: receivedBytes, receivedBytes: sentBytes });
  });

  test("is none where nobody listens", async () => {
    const [{ transport: gone }, from] = [await listen(), await sender()];
    const address = `http://127.0.0.1:${gone.port}`;
    await gone.close();
    await expect(from.exchange(address, new Uint8Array(9000), 2000)).rejects.toThrow("can't be reached");
    expect(from.traffic()).toEqual({ sentBytes: 0, receivedBytes: 0 });
  });
});

describe("sending to something that is no sibling", () => {
  test.each([
    ["a page of HTML", "<html><body>It works!</body></html>"],
    ["nothing", ""],
    [
      "a frame sealed with another secret",
      Buffer.from(sealFrame("other", { envelope: answerEnvelope(), body: new Uint8Array() })).toString(),
    ],
  ])("is an error that says what it may be: %s", async (_, page) => {
    const server = createServer((_request, response) => response.end(page));
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    const { transport } = await listen();
    const url = `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
    const failure = await transport.exchange(url, Uint8Array.of(1), 2000).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransportError);
    expect(String(failure)).toMatch(/fleet\.(listen|secret)/);
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  });
});

function answerEnvelope() {
  return { direction: "answer", from: "receiver", to: "x", number: 1, outcome: "ok" } as const;
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}
