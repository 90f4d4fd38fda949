// What a request's body claims to be, and turning it into plain bytes. A compressed body is decoded here, bounded, so
// that a small upload can't become a large one: nothing behind this file knows of content encodings.
import type { IncomingHttpHeaders } from "node:http";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import { GatewayError } from "../errors.ts";

/** Throws `unsupported_media_type` unless the body claims to be JSON, or claims nothing. */
export function checkIsJson(contentType: string | undefined): void {
  if (contentType === undefined || isJson(contentType)) return;
  const message = "The body must be JSON: send it with `content-type: application/json`.";
  throw new GatewayError("unsupported_media_type", message);
}

export function isJson(contentType: string): boolean {
  if (contentType === "application/json") return true;
  const semicolon = contentType.indexOf(";");
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  return type === "application/json" || (type.startsWith("application/") && type.endsWith("+json"));
}

/** The body's length as announced; null when it comes in chunks or there is none. Throws `request_too_large`. */
export function announcedLength(headers: IncomingHttpHeaders, bytesMax: number): number | null {
  const text = headers["content-length"];
  if (text === undefined) return null;
  const length = Number(text);
  if (length > bytesMax) throw tooLarge(bytesMax);
  return length;
}

export function tooLarge(bytesMax: number): GatewayError {
  const megabytes = Math.floor(bytesMax / 1_048_576);
  const limit = megabytes >= 1 ? `${megabytes} MiB` : `${bytesMax} bytes`;
  return new GatewayError("request_too_large", `The body is larger than this gateway takes (${limit}).`);
}

/** Either the plain bytes or why there are none; called exactly once. */
export type Decoded = (error: GatewayError | null, body: Buffer) => void;

const NOTHING = Buffer.alloc(0);

/**
 * Decodes a body by its `content-encoding` in Node's thread pool. Fails with `unsupported_media_type` for an unknown
 * encoding, `request_too_large` when more than `bytesMax` come out, `invalid_request` when the bytes are damaged.
 */
export function decodeBody(body: Buffer, encoding: string, bytesMax: number, done: Decoded): void {
  const decode = decoderOf(encoding.trim().toLowerCase());
  if (decode === undefined) {
    const message = "The body's content-encoding is not supported: use gzip, deflate, br, zstd or none.";
    done(new GatewayError("unsupported_media_type", message), NOTHING);
    return;
  }
  decode(body, { maxOutputLength: bytesMax }, (error, plain) => {
    if (error === null) done(null, plain);
    else if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE") done(tooLarge(bytesMax), NOTHING);
    else
      done(
        new GatewayError("invalid_request", `The body is not valid ${encoding}.`, { cause: error }),
        NOTHING,
      );
  });
}

type Decoder = (
  body: Buffer,
  options: { readonly maxOutputLength: number },
  done: (error: Error | null, plain: Buffer) => void,
) => void;

function decoderOf(encoding: string): Decoder | undefined {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return gunzip;
    case "deflate":
      return inflate;
    case "br":
      return brotliDecompress;
    case "zstd":
      return zstdDecompress;
    default:
      return undefined;
  }
}
