// The command line: which command, with which options. A table says what there is; the usage text, the parsing and the
// "did you mean" all read it. `program.ts` does
//
//   const parsed = parseCommandLine(process.argv.slice(2));
//   if (parsed.kind === "text") { process.stdout.write(parsed.text); return; }
//   if (parsed.kind === "fault") { process.stderr.write(parsed.text); process.exitCode = 2; return; }
//   switch (parsed.command) { case "check": process.exitCode = await runCheck(parsed, shell); … }
import { parseArgs, type ParseArgsConfig } from "node:util";
import { didYouMean } from "../config/suggest.ts";
import { valueFault } from "./option-values.ts";

interface OptionEntry {
  /** What the value is called in the usage text; absent: the option takes none. */
  readonly value?: string;
  readonly short?: string;
  readonly summary: string;
}

interface CommandEntry {
  readonly summary: string;
  /** Words after the command, in brackets when they may be left out: `NAME`, `[FILE]`. */
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, OptionEntry>>;
}

const CONFIG = {
  config: {
    value: "FILE",
    short: "c",
    summary: "the configuration; ./sluice.yaml by default, if there is one",
  },
} as const satisfies Record<string, OptionEntry>;

/** For commands that talk to an instance that runs. */
const REMOTE = {
  ...CONFIG,
  url: {
    value: "URL",
    short: "u",
    summary: "the instance to ask; by default where the configuration says it listens",
  },
  json: { summary: "write JSON rather than a table" },
} as const satisfies Record<string, OptionEntry>;

/** For commands that show limits, of which there may be thousands. */
const SHOWN = {
  match: { value: "PATTERN", summary: "only limits of such names: 'main/*'" },
  rows: { value: "N", summary: "at most so many limits, those with the least left first" },
} as const satisfies Record<string, OptionEntry>;

const COMMANDS = {
  start: {
    summary: "run the gateway",
    words: [],
    options: {
      ...CONFIG,
      listen: {
        value: "HOST:PORT",
        short: "l",
        summary: "where clients connect, instead of what the configuration says",
      },
      "data-dir": {
        value: "FOLDER",
        short: "d",
        summary: "the store's folder, instead of what the configuration says",
      },
    },
  },
  check: {
    summary: "check the configuration without starting",
    words: [],
    options: {
      ...CONFIG,
      online: { summary: "also get the providers' keys that are renewed while it runs" },
    },
  },
  status: { summary: "show how an instance is doing", words: [], options: { ...REMOTE, ...SHOWN } },
  top: { summary: "show limits and requests live", words: [], options: { ...REMOTE, ...SHOWN } },
  limits: {
    summary: "show the limits and what is left of them, or set one for the whole fleet until it is unset",
    words: ["[set|unset]", "[LIMIT]", "[AMOUNT]"],
    options: {
      ...REMOTE,
      ...SHOWN,
      burst: { value: "N", summary: "with set: what can be used at once; the amount by default" },
    },
  },
  keys: {
    summary:
      "list the clients' keys, or make, rotate or revoke one for the whole fleet; usage shows what they used, open asks for no key again",
    words: ["[list|create|rotate|revoke|usage|open]", "[NAME]"],
    options: {
      ...REMOTE,
      models: { value: "A,B", summary: "with create: what it may ask for; everything by default" },
      limits: { value: "L,L", summary: "with create: such as usd=200/month,requests=60/min" },
      priority: { value: "P", summary: "with create: low, normal or high" },
      weight: { value: "N", summary: "with create: its part while others wait too; 1 by default" },
      expires: { value: "WHEN", summary: "with create: a day, an instant, or from now: 90d, 12h" },
      tags: { value: "A,B", summary: "with create: words to find it by" },
      overlap: {
        value: "TIME",
        summary: "with rotate: how long the former secret stays good; 24h by default",
      },
      from: { value: "DAY", summary: "with usage: the first day; the month's first by default" },
      to: { value: "DAY", summary: "with usage: the last day; today by default" },
      by: { value: "A,B", summary: "with usage: of key, provider, model, day; key by default" },
    },
  },
  drain: { summary: "let an instance finish what runs, and stop", words: [], options: REMOTE },
  evict: { summary: "take over the share of an instance that is gone", words: ["NAME"], options: REMOTE },
  backup: { summary: "copy the store to a file", words: ["FILE"], options: CONFIG },
  restore: {
    summary: "put a copy of the store in place",
    words: ["FILE"],
    options: {
      ...CONFIG,
      "keep-levels": { summary: "start from the copy's levels: what was spent since may be spent again" },
    },
  },
  sim: {
    summary: "run the simulated provider alone",
    words: [],
    options: {
      listen: { value: "HOST:PORT", short: "l", summary: "where it listens; 127.0.0.1:8790 by default" },
      requests: { value: "N", summary: "requests per minute that it lets in; all by default" },
      burst: { value: "N", summary: "requests that it lets in at once; as many as per minute by default" },
      tokens: { value: "N", summary: "tokens per minute that it lets in; all by default" },
      concurrent: { value: "N", summary: "requests that may run at a time; all by default" },
      "first-ms": { value: "MS", summary: "before the first byte of an answer; 0 by default" },
      "slack-ms": { value: "MS", summary: "what its quota forgives, as time of refill; 250 by default" },
      "pace-ms": { value: "MS", summary: "between two chunks of a stream; 0 by default" },
    },
  },
} as const satisfies Record<string, CommandEntry>;

export type CommandName = keyof typeof COMMANDS;

/** A command to run. */
export interface Invocation {
  readonly kind: "run";
  readonly command: CommandName;
  readonly words: readonly string[];
  /** The value of an option, by its long name. */
  option(name: string): string | undefined;
  flag(name: string): boolean;
}

export type CommandLine =
  | Invocation
  /** Something to show, and nothing to run. */
  | { readonly kind: "text"; readonly text: string }
  /** What is wrong, and what would be right. */
  | { readonly kind: "fault"; readonly text: string };

/** Reads the arguments that follow the program's name. */
export function parseCommandLine(args: readonly string[], version = ""): CommandLine {
  const [first = "help", ...rest] = args;
  if (first === "--version" || first === "-V") return { kind: "text", text: `sluice ${version}\n` };
  if (first === "--help" || first === "-h" || first === "help")
    return help(first === "help" ? rest[0] : undefined);
  if (first.startsWith("-"))
    return { kind: "fault", text: `A command comes first, before ${first}.\n\n${usage()}` };
  return isCommand(first) ? parseCommand(first, rest) : unknownCommand(first);
}

function unknownCommand(name: string): CommandLine {
  const problem = `There is no command "${name}"${didYouMean(name, Object.keys(COMMANDS))}.`;
  return { kind: "fault", text: `${withoutDoubleStop(problem)}\n\n${usage()}` };
}

function parseCommand(command: CommandName, args: readonly string[]): CommandLine {
  const entry: CommandEntry = COMMANDS[command];
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options: toParseOptions(entry),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  if (values["help"] === true) return { kind: "text", text: commandUsage(command) };
  for (const token of tokens) {
    const fault = token.kind === "option" ? optionFault(entry, token) : undefined;
    if (fault !== undefined) return { kind: "fault", text: `${fault}\n\n${commandUsage(command)}` };
  }
  const fault = repeatedFault(tokens) ?? wordsFault(entry, positionals);
  if (fault !== undefined) return { kind: "fault", text: `${fault}\n\n${commandUsage(command)}` };
  return {
    kind: "run",
    command,
    words: positionals,
    option: (name) => {
      const value = values[name];
      return typeof value === "string" ? value : undefined;
    },
    flag: (name) => values[name] === true,
  };
}

function toParseOptions(entry: CommandEntry): NonNullable<ParseArgsConfig["options"]> {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean", short: "h" } };
  for (const [name, { value, short }] of Object.entries(entry.options)) {
    options[name] = {
      type: value === undefined ? "boolean" : "string",
      ...(short !== undefined && { short }),
    };
  }
  return options;
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  /** Whether the value came behind a `=`. */
  readonly inlineValue: boolean | undefined;
}

function optionFault(
  entry: CommandEntry,
  { name, rawName, value, inlineValue }: OptionToken,
): string | undefined {
  if (name === "help") return undefined;
  const option = Object.hasOwn(entry.options, name) ? entry.options[name] : undefined;
  if (option === undefined) {
    const known = Object.keys(entry.options).map((long) => `--${long}`);
    return withoutDoubleStop(`There is no option ${rawName}${didYouMean(rawName, known)}.`);
  }
  if (option.value === undefined) return value === undefined ? undefined : `${rawName} takes no value.`;
  // `--config --listen` is a value forgotten rather than a file called `--listen`.
  if (value === undefined || value === "" || (value.startsWith("-") && inlineValue !== true))
    return `${rawName} needs a value: ${option.value}.`;
  return valueFault(rawName, option.value, value);
}

function repeatedFault(
  tokens: readonly { readonly kind: string; readonly name?: string }[],
): string | undefined {
  const names = tokens.flatMap(({ kind, name }) => (kind === "option" && name !== undefined ? [name] : []));
  const repeated = names.find((name, at) => names.indexOf(name) < at);
  return repeated === undefined ? undefined : `--${repeated} is given twice.`;
}

function wordsFault(entry: CommandEntry, words: readonly string[]): string | undefined {
  const needed = entry.words.filter((word) => !word.startsWith("["));
  const missing = needed[words.length];
  if (missing !== undefined) return `${missing} is missing.`;
  const extra = words[entry.words.length];
  if (extra === undefined) return undefined;
  const isFile = Object.hasOwn(entry.options, "config") && /\.ya?ml$/.test(extra);
  return `"${extra}" is one word too many.${isFile ? ` Did you mean --config ${extra}?` : ""}`;
}

function help(topic: string | undefined): CommandLine {
  if (topic === undefined || topic.startsWith("-")) return { kind: "text", text: usage() };
  return isCommand(topic) ? { kind: "text", text: commandUsage(topic) } : unknownCommand(topic);
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

const EXITS = "Exit codes: 0 it is done, 1 it failed, 2 the command line is wrong.\n";

function usage(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`);
  return `Usage: sluice COMMAND [OPTIONS]\n\n${rows.join("\n")}\n\nsluice COMMAND --help tells more of one.\n\n${EXITS}`;
}

function commandUsage(command: CommandName): string {
  const { summary, words, options }: CommandEntry = COMMANDS[command];
  const line = ["Usage: sluice", command, ...words, "[OPTIONS]"].join(" ");
  const rows = Object.entries(options).map(([name, { value, short, summary }]) => {
    const short_ = short === undefined ? "    " : `-${short}, `;
    return `  ${short_}${`--${name}${value === undefined ? "" : ` ${value}`}`.padEnd(22)} ${summary}`;
  });
  return `${line}\n\n${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.\n\n${rows.join("\n")}\n`;
}

/** A suggestion ends with its own question mark. */
function withoutDoubleStop(sentence: string): string {
  return sentence.replace(/\?\.$/, "?");
}
