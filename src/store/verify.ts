// Reads a whole LMDB store in a process of its own, because a damaged map does not throw: it kills whoever touches it.
// Run as `node verify.ts DIRECTORY`; exits 0 when every entry that the store says it has can be read.
import { countEntries, openDatabase } from "./lmdb.ts";

const database = openDatabase(process.argv[2] ?? "", true);
const { claimed, found } = countEntries(database);
process.exitCode = claimed === found ? 0 : 1;
await database.close();
