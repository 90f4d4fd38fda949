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
    ["check --config a --config b", "--config is given twice."],
    ["help chek", 'There is no command "chek"; did you mean "check"?'],
    ["check other.yaml", '"other.yaml" is one word too many. Did you mean --config other.yaml?'],
    ["backup a b.yml", "Did you mean --config b.yml?"],
    ["sim --requests abc", '--requests needs a number of at least 0, not "abc".'],
    ["sim --burst=-1", '--burst needs a number of at least 0, not "-1".'],
    ["sim --first-ms 1.5x", '--first-ms needs a number of at least 0, not "1.5x".'],
    ["sim --listen nowhere", '--listen needs an address and a port, such as 127.0.0.1:8787, not "nowhere".'],
    ["start --listen 127.0.0.1:99999", "--listen needs an address and a port"],
    ["start -l 8787", "-l needs an address and a port"],
    ["status --url ftp://x", '--url needs an address such as http://127.0.0.1:8787, not "ftp://x".'],
    ["status --url http://[", "--url needs an address such as"],
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

  test.each([
    "sim --requests 1_000 --burst 0.5 --listen :0",
    "sim --listen [::1]:8790",
    "start --listen 0.0.0.0:8787",
    "status --url gw-1:8787",
    "status --url https://gw-1",
  ])("%s is understood", (line) => {
    expect(parse(line)).toMatchObject({ kind: "run" });
  });

  test("--version shows the version", () => {
    expect(parse("--version")).toEqual({ kind: "text", text: "sluice 1.2.3\n" });
  });
});
