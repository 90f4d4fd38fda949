import { describe, expect, test } from "vitest";
import { parseCommandLine } from "../../src/cli/args.ts";

function parse(line: string) {
  return parseCommandLine(line === "" ? [] : line.split(" "), "1.2.3");
}

describe("a command line", () => {
  test("names a command, words and options", () => {
    const parsed = parse("evict gw-2 -c other.yaml --url=http://127.0.0.1:1 --json");
    if (parsed.kind !== "run") throw new Error(parsed.text);
    expect([parsed.command, parsed.words]).toEqual(["evict", ["gw-2"]]);
    expect([parsed.option("config"), parsed.option("url"), parsed.option("listen")]).toEqual([
      "other.yaml",
      "http://127.0.0.1:1",
      undefined,
    ]);
    expect([parsed.flag("json"), parsed.flag("config")]).toEqual([true, false]);
  });

  test.each([
    ["chek", 'There is no command "chek"; did you mean "check"?'],
    ["frobnicate", 'There is no command "frobnicate".'],
    ["constructor", 'There is no command "constructor".'],
    ["--config x check", "A command comes first, before --config."],
    ["check --confg x", 'There is no option --confg; did you mean "--config"?'],
    ["check --config", "--config needs a value: FILE."],
    ["check --config=", "--config needs a value: FILE."],
    ["start --config --listen", "--config needs a value: FILE."],
    ["status --json=yes", "--json takes no value."],
    ["check extra", '"extra" is one word too many.'],
    ["evict", "NAME is missing."],
    ["start -x", "There is no option -x"],
    ["check --__proto__", "There is no option --__proto__"],
  ])("%s is a fault: %s", (line, fault) => {
    const parsed = parse(line);
    expect(parsed.kind).toBe("fault");
    expect(parsed.kind === "fault" && parsed.text).toContain(fault);
    expect(parsed.kind === "fault" && parsed.text).toContain("Usage: sluice");
  });

  test.each(["", "help", "--help", "-h"])('"%s" shows all commands', (line) => {
    const parsed = parse(line);
    expect(parsed.kind === "text" && parsed.text).toContain("Usage: sluice COMMAND");
    expect(parsed.kind === "text" && parsed.text).toContain("restore");
  });

  test.each(["help start", "start --help", "start -h --config"])(
    '"%s" shows the command\'s options',
    (line) => {
      const parsed = parse(line);
      expect(parsed.kind === "text" && parsed.text).toContain("Usage: sluice start [OPTIONS]");
      expect(parsed.kind === "text" && parsed.text).toContain("--data-dir FOLDER");
    },
  );

  test("--version shows the version", () => {
    expect(parse("--version")).toEqual({ kind: "text", text: "sluice 1.2.3\n" });
  });
});
