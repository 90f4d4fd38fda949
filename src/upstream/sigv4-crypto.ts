// The hashes behind AWS Signature Version 4, by Node: the rules of the signature itself are pure code elsewhere.
import { createHash, createHmac } from "node:crypto";

export const sigV4Crypto = {
  /** SHA-256 as 64 hexadecimal digits. */
  sha256Hex(data: Uint8Array | string): string {
    return createHash("sha256").update(data).digest("hex");
  },
  /** HMAC-SHA-256 as 32 bytes. */
  hmac(key: Uint8Array | string, data: string): Uint8Array {
    return createHmac("sha256", key).update(data).digest();
  },
};
