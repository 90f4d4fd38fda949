// Runs every scenario text in scenarios/ and compares what it prints. SCENARIOS=rewrite writes the files anew.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Interpreter } from "./interpreter.ts";

const FOLDER = join(import.meta.dirname, "scenarios");
const IS_REWRITE = process.env["SCENARIOS"] === "rewrite";

/** A file is blocks with a blank line between them; a block is comments, commands, dashes, and what is printed. */
function replay(text: string): string {
  const interpreter = new Interpreter();
  return text
    .trimEnd()
    .split("\n\n")
    .map((block) => {
      const lines = block.split("\n");
      const end = lines.indexOf("----");
      const head = end === -1 ? lines : lines.slice(0, end);
      const commands = head.filter((line) => line !== "" && !line.startsWith("#"));
      if (commands.length === 0) return head.join("\n");
      return [...head, "----", ...interpreter.run(commands)].join("\n");
    })
    .join("\n\n")
    .concat("\n");
}

test.each(readdirSync(FOLDER).filter((file) => file.endsWith(".txt")))("%s comes true", (file) => {
  const path = join(FOLDER, file);
  const text = readFileSync(path, "utf8");
  const replayed = replay(text);
  if (IS_REWRITE) writeFileSync(path, replayed);
  else expect(replayed).toBe(text);
});
