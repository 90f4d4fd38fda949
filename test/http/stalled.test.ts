// Clients that do not read, over real sockets and by a clock of the test's own.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { StalledClients } from "../../src/http/stalled.ts";
import { startServer } from "./server-fixture.ts";
import { jsonRequest } from "./raw-client.ts";

const MEBIBYTE = 1024 * 1024;
const STALL_MS = 30_000;

/** More than the kernel takes over for one connection. */
const KERNEL_BYTES = 16 * MEBIBYTE;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The server's end of a connection on which so much waits, and a client that has not begun to read. */
async function connection(bytes: number): Promise<{ readonly socket: Socket; readonly client: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const client = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  const [socket]: Socket[] = await once(server, "connection");
  if (socket === undefined) throw new Error("There is no connection.");
  client.on("error", () => client.destroy());
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  socket.write(Buffer.alloc(bytes));
  return { socket, client };
}

/** Sweeps every 10 s until the connection is closed; gives the time. */
async function closedAfterMs(stalled: StalledClients, socket: Socket): Promise<number> {
  for (let now = 0; now < 100 * STALL_MS; now += 10_000) {
    stalled.sweep([socket], now);
    if (socket.destroyed) return now;
    await turn();
  }
  throw new Error("It was not closed.");
}

test("a client that does not read is cut off, and not before its time", async () => {
  const { socket } = await connection(4 * KERNEL_BYTES);
  const stalled = new StalledClients(STALL_MS);
  expect(await closedAfterMs(stalled, socket)).toBeGreaterThanOrEqual(STALL_MS);
  expect(stalled.closedCount).toBe(1);
});

test("a client that reads one large answer slowly is not", async () => {
  const { socket, client } = await connection(6 * KERNEL_BYTES);
  const stalled = new StalledClients(STALL_MS);
  let read = 0;
  for (let now = 0; socket.writableLength > 0; now += STALL_MS) {
    stalled.sweep([socket], now);
    // When it has read more than the kernel holds, the kernel has taken more.
    const goal = read + KERNEL_BYTES;
    while (read < goal && read < 6 * KERNEL_BYTES) {
      const chunk: unknown = client.read();
      if (Buffer.isBuffer(chunk)) read += chunk.length;
      else await once(client, "readable");
    }
  }
  expect(socket.destroyed).toBe(false);
  expect(stalled.closedCount).toBe(0);
});

test("a connection on which nothing waits may be silent for ever", async () => {
  const { socket, client } = await connection(10);
  await once(client, "readable");
  while (socket.writableLength > 0) await turn();
  const stalled = new StalledClients(STALL_MS);
  for (let now = 0; now < 100 * STALL_MS; now += STALL_MS) stalled.sweep([socket], now);
  expect(socket.destroyed).toBe(false);
});

test("the server cuts off who does not read a whole answer that is over, and counts it", async () => {
  const { client, samples } = await startServer({
    limits: { writeStallMs: 100, sweepMs: 10 },
    serve: (_, { response }) => void response.writeHead(200).end(Buffer.alloc(4 * KERNEL_BYTES)),
  });
  const stalled = client();
  stalled.socket.pause();
  stalled.send(jsonRequest({ model: "smart", messages: [] }));
  const value = (wanted: string) => samples().find(({ name }) => name === wanted)?.value;
  while (value("sluice_http_connections_stalled_total") !== 1) await turn();
  while (value("sluice_http_connections") !== 0) await turn();
});
