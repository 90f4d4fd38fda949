// Both stores pass the one suite.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbStore, openDatabase } from "../../../src/store/lmdb.ts";
import { MemoryStore } from "../../../src/store/memory.ts";
import { storeContract } from "./contract.ts";

storeContract("the memory store", () => {
  const store = new MemoryStore();
  return {
    store,
    async reopen() {
      await store.close();
      return new MemoryStore({ contents: store.contents() });
    },
    dispose: () => store.close(),
  };
});

storeContract("the LMDB store", () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
  let store = new LmdbStore(openDatabase(directory), directory);
  const first = store;
  return {
    store: first,
    async reopen() {
      await store.close();
      store = new LmdbStore(openDatabase(directory), directory);
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});
