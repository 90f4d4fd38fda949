// Writes event-stream frames, as the provider does.
import { crc32 } from "../../../providers/dialects/bedrock/crc32.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { encode } from "../recordings.ts";

export interface Written {
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: string;
  /** Bytes of headers of other types, put before the string headers. */
  readonly otherHeaders?: Uint8Array;
}

export function frame({ headers = {}, payload = "", otherHeaders = new Uint8Array(0) }: Written): Uint8Array {
  const written = Object.entries(headers).flatMap(([name, value]) =>
    stringHeader(encode(name), encode(value)),
  );
  const headerBytes = [...otherHeaders, ...written];
  const body = encode(payload);
  const bytes = new Uint8Array(16 + headerBytes.length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length);
  view.setUint32(4, headerBytes.length);
  view.setUint32(8, crc32(bytes.subarray(0, 8)));
  bytes.set(headerBytes, 12);
  bytes.set(body, 12 + headerBytes.length);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)));
  return bytes;
}

function stringHeader(name: Uint8Array, value: Uint8Array): number[] {
  return [name.length, ...name, 7, value.length >> 8, value.length & 0xff, ...value];
}

/** `{ eventName: payload }` as a frame. */
export function event(named: Json): Uint8Array {
  const [[name, payload] = ["", {}]] = Object.entries(named);
  const headers = { ":event-type": name, ":content-type": "application/json", ":message-type": "event" };
  return frame({ headers, payload: JSON.stringify(payload) });
}

export function exception(name: string, message: string): Uint8Array {
  const headers = {
    ":exception-type": name,
    ":content-type": "application/json",
    ":message-type": "exception",
  };
  return frame({ headers, payload: JSON.stringify({ message }) });
}

export function joined(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((each) => [...each]));
}
