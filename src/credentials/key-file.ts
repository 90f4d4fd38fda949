// Files that hold secrets: read when they are needed, so that one that was replaced counts from then on.
import { open } from "node:fs/promises";
import { KeyFault, type KeySource, shownKey } from "./key.ts";

const BYTES_MAX = 64 * 1024;

/** The file's text. Rejects with a `KeyFault` that names the file and what is wrong with it. */
export async function readSecretFile(path: string): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.alloc(BYTES_MAX + 1);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      if (bytesRead > BYTES_MAX) throw new KeyFault(`${path} is too long to hold a key`);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof KeyFault) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new KeyFault(`${path} can't be read (${code})`, { cause: error });
  }
}

/** A key that stands in a file alone, as a mounted secret does. */
export function keyFile(path: string): KeySource {
  return {
    isLocal: true,
    async issue() {
      return { key: shownKey(await readSecretFile(path), path), lifeMs: null };
    },
  };
}
