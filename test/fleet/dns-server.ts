// A DNS server on loopback, as small as can be (RFC 1035, section 4): it answers each question, over UDP and TCP on one
// port, with what a script makes of it, or not at all.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";

const HEADER_BYTES = 12;
const SRV = 33;
const TTL_SECONDS = 5;

/** The second word of a header: an answer; one that did not fit; one that says that there is no such name. */
const FLAGS = { whole: 0x8180, truncated: 0x8380, nameError: 0x8183 } as const;

export interface Service {
  readonly name: string;
  readonly port: number;
}

/** What to answer a question with; null: nothing. */
export type Script = (question: Uint8Array, transport: "udp" | "tcp") => Uint8Array | null;

export interface DnsServer {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  close(): Promise<void>;
}

export async function startDnsServer(script: Script): Promise<DnsServer> {
  const streams = createServer((socket) => serveStream(socket, script)).listen(0, "127.0.0.1");
  await once(streams, "listening");
  const bound = streams.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : 0;
  const datagrams = createSocket("udp4", (question, from) => {
    const answer = script(question, "udp");
    if (answer !== null) datagrams.send(answer, from.port, from.address);
  });
  datagrams.bind(port, "127.0.0.1");
  await once(datagrams, "listening");
  return {
    address: `127.0.0.1:${port}`,
    async close() {
      datagrams.close();
      streams.close();
      await Promise.all([once(datagrams, "close"), once(streams, "close")]);
    },
  };
}

/** Over TCP a message comes behind its length (section 4.2.2); one of a few dozen bytes comes in one piece. */
function serveStream(socket: Socket, script: Script): void {
  socket.on("error", () => socket.destroy());
  socket.once("data", (data) => {
    const answer = script(data.subarray(2), "tcp");
    if (answer === null) return;
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(answer.length);
    socket.end(Buffer.concat([bytes, answer]));
  });
}

function answerTo(question: Uint8Array, flags: number, records: readonly Uint8Array[]): Buffer {
  const asked = Buffer.from(question);
  const nameEnd = asked.indexOf(0, HEADER_BYTES) + 1;
  const header = Buffer.alloc(HEADER_BYTES);
  asked.copy(header, 0, 0, 2);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, asked.subarray(HEADER_BYTES, nameEnd + 4), ...records]);
}

/** SRV records for the name that was asked for (RFC 2782). */
export function answerServices(question: Uint8Array, services: readonly Service[]): Buffer {
  const records = services.map(({ name, port }) => {
    const target = Buffer.concat(
      name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    );
    const record = Buffer.alloc(18);
    // The name is that of the question, by reference.
    record.writeUInt16BE(0xc000 + HEADER_BYTES, 0);
    record.writeUInt16BE(SRV, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(TTL_SECONDS, 6);
    record.writeUInt16BE(6 + target.length + 1, 10);
    record.writeUInt16BE(port, 16);
    return Buffer.concat([record, target, Buffer.from([0])]);
  });
  return answerTo(question, FLAGS.whole, records);
}

/** The answer does not fit into a datagram, and is to be had over TCP. */
export function answerTruncated(question: Uint8Array): Buffer {
  return answerTo(question, FLAGS.truncated, []);
}

export function answerNameError(question: Uint8Array): Buffer {
  return answerTo(question, FLAGS.nameError, []);
}
