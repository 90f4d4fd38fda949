import { EventEmitter } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { parseCommandLine } from "../../../src/cli/args.ts";
import { bar, clipped, describeFrame, runTop } from "../../../src/cli/commands/top.ts";
import { ManualClock } from "../../manual-clock.ts";
import type { InstanceStatus } from "../../../src/cli/commands/status.ts";

function status(requests: number, failed: number, tokens: number): InstanceStatus {
  const traffic = {
    provider: "main",
    model: "large",
    requests,
    failed,
    tokens,
    firstTokenS: 0.1,
    overheadS: 0.001,
  };
  const bucket = { bucket: "main/requests/min", level: 5, capacity: 10, fleetLevel: 9, fleetCapacity: 20 };
  return {
    url: "http://gateway",
    isReady: true,
    reasons: [],
    warnings: [],
    traffic: [traffic],
    buckets: [{ ...bucket, waiting: 2, refused: 0 }],
    bucketsHidden: 0,
    heldBack: [],
    setLimits: [],
    fleet: null,
  };
}

test("a frame shows rates since the one before, and a bar per limit", () => {
  expect(describeFrame(status(10, 0, 100), status(20, 1, 5100), 2000)).toBe(`http://gateway  ready

model       requests/s  failed/s  tokens/s  requests
main/large           5       0.5     2,500        20

limit              fleet left               of  here  of  waiting
main/requests/min  █████████░░░░░░░░░░░  9  20     5  10        2

The instance tells members, shares and limits that were set at run time with its admin key only: set SLUICE_ADMIN_KEY to it.`);
});

test("without siblings there is one level of a limit", () => {
  const alone = status(10, 0, 100);
  const buckets = alone.buckets.map((row) => ({
    ...row,
    fleetLevel: row.level,
    fleetCapacity: row.capacity,
  }));
  expect(describeFrame(null, { ...alone, buckets }, 1000)).toContain(`
limit              left                     of  waiting
main/requests/min  ██████████░░░░░░░░░░  5  10        2`);
});

test.each([
  [0, 0, "one\ntwo words\nthree\nfour"],
  [5, 5, "one\ntwo w\nthree\nfour"],
  [4, 80, "one\ntwo words\n… 2 lines more: --match 'NAME*' picks limits"],
  [1, 80, "one\n… 3 lines more: --match 'NAME*' picks limits"],
])("a frame in a window of %d lines and %d columns keeps its head", (lines, columns, shown) => {
  expect(clipped("one\ntwo words\nthree\nfour", { lines, columns })).toBe(shown);
});

test("the first frame has no rates yet", () => {
  expect(describeFrame(null, status(10, 0, 100), 1000)).toContain(
    "main/large           0         0         0        10",
  );
});

test.each([
  [10, 10, 20],
  [0.001, 10, 1],
  [0, 10, 0],
  [-5, 10, 0],
  [0, 0, 0],
  [12, 10, 20],
])("a level of %d of %d fills %i cells", (level, capacity, filled) => {
  expect(bar(level, capacity).lastIndexOf("█") + 1).toBe(filled);
  expect(bar(level, capacity)).toHaveLength(20);
});

test("sluice top draws every second until it is told to stop", async () => {
  const server = createServer((_, response) => void response.writeHead(401).end("{}"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const parsed = parseCommandLine(["top", "--url", `127.0.0.1:${port}`]);
  if (parsed.kind !== "run") throw new Error(parsed.text);
  const signals = new EventEmitter();
  const clock = new ManualClock();
  const frames: string[] = [];
  const drawn = () => new Promise<void>((resolve) => signals.once("drawn", () => setImmediate(resolve)));
  const shell = {
    out: (text: string) => {
      frames.push(text);
      signals.emit("drawn");
    },
    err: (text: string) => expect(text).toBe(""),
    cwd: "/",
    env: {},
    hostName: "host",
    signals,
    isTerminal: false,
    screen: () => ({ lines: 0, columns: 0 }),
  };
  const first = drawn();
  const code = runTop(parsed, shell, clock);
  await first;
  const second = drawn();
  clock.advance(1000);
  await second;
  signals.emit("SIGINT", "SIGINT");
  expect(await code).toBe(0);
  expect(frames).toHaveLength(2);
  expect(clock.pending()).toBe(0);
  server.close();
  server.closeAllConnections();
});
