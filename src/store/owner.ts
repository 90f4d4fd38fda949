// One process per data directory. Node has no file locks, process ids mean nothing across containers, and lock files
// outlive a `kill -9`; a Unix socket that is listened on does none of that: the kernel closes it with its process, and
// it works between containers that share a volume. Every starter listens first and looks second, so of two that start
// together at least one sees the other:
//
//   owner-a1b2c3/socket   ── connect ──▶  "holding"   it is in use: leave
//                                         "entering"  it starts as well: the later name leaves, the earlier waits for word
//                                         refused     its process is dead: sweep it away
//                                         not there   it does not listen yet, and will see us when it does
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { basename, join } from "node:path";
import { GatewayError } from "../errors.ts";

const PREFIX = "owner-";
const SOCKET = "socket";

/** How long a silent process is listened to before it counts as holding (it may be stopped in a debugger), in milliseconds. */
const ANSWER_MS = 1000;

/** What a socket's path may be long, in bytes: the smallest of the systems' limits. */
const PATH_BYTES_MAX = 100;

type Word = "holding" | "entering" | "gone" | "unborn";

/** A claim on a directory, from the moment others can see it. */
interface Claim {
  readonly name: string;
  settle(word: "holding" | "gone"): void;
}

export interface Ownership {
  /** Lets another process in. */
  release(): void;
}

/** Makes this process the owner of the directory. Rejects with `storage_unavailable` while another process owns it. */
export async function own(directory: string): Promise<Ownership> {
  const claim = await announce(directory);
  try {
    for (const other of othersIn(directory, claim.name)) await yieldTo(directory, other, claim);
  } catch (error) {
    claim.settle("gone");
    throw error;
  }
  claim.settle("holding");
  sweep(directory, claim.name);
  return { release: () => claim.settle("gone") };
}

function othersIn(directory: string, name: string): string[] {
  return readdirSync(directory).filter((entry) => entry.startsWith(PREFIX) && entry !== name);
}

/** Returns when the other is out of the way; throws when it owns the directory or comes first. */
async function yieldTo(directory: string, other: string, claim: Claim): Promise<void> {
  const word = await ask(directory, other, claim.name < other);
  if (word === "gone") rmSync(join(directory, other), { recursive: true, force: true });
  else if (word !== "unborn") throw inUse(directory);
}

function inUse(directory: string): GatewayError {
  return new GatewayError(
    "storage_unavailable",
    `data_dir ${directory} is in use by another running process. Stop it, or give this one a data_dir of its own.`,
  );
}

/** The owner removes what starters left that died before they listened. One that still lives finds the way barred. */
function sweep(directory: string, name: string): void {
  for (const other of othersIn(directory, name)) {
    const home = join(directory, other);
    if (!existsSync(join(home, SOCKET))) rmSync(home, { recursive: true, force: true });
  }
}

/** Listens under a fresh name. The socket gets its final name only once it listens, so that `refused` means `dead`. */
async function announce(directory: string): Promise<Claim> {
  const home = mkdtempSync(join(directory, PREFIX));
  const asking = new Set<Socket>();
  let state: Word = "entering";
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(state);
    if (state !== "entering") socket.end();
    else asking.add(socket.once("close", () => asking.delete(socket)));
  });
  server.unref();
  await withShortPath(home, (path) => listen(server, join(path, "new")));
  try {
    renameSync(join(home, "new"), join(home, SOCKET));
  } catch (error) {
    server.close();
    if (codeOf(error) === "ENOENT") throw inUse(directory);
    throw error;
  }
  return {
    name: basename(home),
    settle(word) {
      state = word;
      for (const socket of asking) socket.end(word);
      if (word !== "gone") return;
      server.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
}

/** What the other says about itself; with `isPatient` it is listened to until it has made up its mind. */
function ask(directory: string, other: string, isPatient: boolean): Promise<Word> {
  return withShortPath(join(directory, other), (path) => {
    const { promise, resolve } = Promise.withResolvers<Word>();
    const socket = connect(join(path, SOCKET));
    let heard = "";
    socket.setTimeout(ANSWER_MS, () => resolve("holding"));
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1");
      if (heard === "entering" && !isPatient) resolve("entering");
    });
    socket.on("error", (error) => resolve(codeOf(error) === "ENOENT" ? "unborn" : "gone"));
    socket.on("close", () => resolve(heard.endsWith("holding") ? "holding" : "gone"));
    return promise.finally(() => socket.destroy());
  });
}

/** Runs with a path for the directory that fits into a socket address, by way of an open descriptor where it is too long. */
async function withShortPath<T>(directory: string, run: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(directory) + SOCKET.length < PATH_BYTES_MAX) return run(directory);
  const descriptor = openSync(directory, "r");
  try {
    return await run(`/proc/self/fd/${descriptor}`);
  } finally {
    closeSync(descriptor);
  }
}
