// Every scenario text beside this file. `SLUICE_REWRITE=1` writes the answers anew: commit what changed only if you know why it did.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Interpreter } from "./interpreter.ts";
import { readScript, writeScript } from "./script.ts";

const FOLDER = import.meta.dirname;
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith(".txt"));
const isRewriting = process.env["SLUICE_REWRITE"] === "1";

function answersOf(text: string): readonly string[] {
  const interpreter = new Interpreter();
  return readScript(text).blocks.map(({ command }) => interpreter.run(command));
}

if (isRewriting) {
  for (const file of FILES) {
    const text = readFileSync(join(FOLDER, file), "utf8");
    writeFileSync(join(FOLDER, file), writeScript(readScript(text), answersOf(text)));
  }
}

describe.each(FILES)("%s", (file) => {
  const text = readFileSync(join(FOLDER, file), "utf8");
  const { blocks } = readScript(text);
  const answers = answersOf(text);
  const cases = blocks.map(({ line, command, expected }, index) => ({
    line,
    command: command[0],
    expected,
    index,
  }));

  test.each(cases)("line $line: $command", ({ index, expected }) => {
    expect(answers[index]).toBe(expected);
  });
});
