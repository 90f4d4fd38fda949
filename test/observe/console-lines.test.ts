// What libraries print while a gateway runs.
import { expect, test } from "vitest";
import { logConsole } from "../../src/observe/console-lines.ts";
import { silentLog } from "../../src/observe/events.ts";

test("what libraries print becomes lines of the log, without stacks, until it is put back", () => {
  const lines: unknown[] = [];
  const before = console.error;
  const restore = logConsole({ ...silentLog, warn: (message, fields) => void lines.push([message, fields]) });
  console.error("In a callback", new Error("no space left"));
  console.warn("old option");
  restore();
  expect(lines).toEqual([
    ["a library reports", { reason: "In a callback no space left" }],
    ["a library reports", { reason: "old option" }],
  ]);
  expect(console.error).toBe(before);
});
