// The `table` command of scenarios: providers and aliases in a few words.
//
//   provider main: big(context=8000) small keys=a,b endpoints=chat,embeddings
//   alias smart ordered: main/big, spare/big*0 when images tokens>8000, fast patience=50ms sticky canary=main/new:10
import type { Condition } from "../../src/routing/condition.ts";
import type {
  AliasDefinition,
  ProviderDefinition,
  Strategy,
  TargetDefinition,
} from "../../src/routing/definition.ts";
import { readMs, wordsOf } from "./script.ts";

export interface TableText {
  readonly providers: readonly ProviderDefinition[];
  readonly aliases: readonly AliasDefinition[];
}

export function readTable(lines: readonly string[]): TableText {
  const providers: ProviderDefinition[] = [];
  const aliases: AliasDefinition[] = [];
  for (const line of lines) {
    const match = /^\s*(provider|alias) ([^:]+):(.*)$/.exec(line);
    if (match === null) throw new Error(`not a provider or an alias: ${line}`);
    const [, kind, head = "", rest = ""] = match;
    if (kind === "provider") providers.push(readProvider(head, rest));
    else aliases.push(readAlias(head, rest));
  }
  return { providers, aliases };
}

function readProvider(name: string, rest: string): ProviderDefinition {
  const { plain, named } = wordsOf(rest);
  const keys = named.get("keys")?.split(",");
  return {
    name,
    models: plain.map((word) => {
      const [, model = "", context] = /^([^(]+)(?:\(context=(\d+)\))?$/.exec(word) ?? [];
      return { name: model, contextTokens: context === undefined ? null : Number(context) };
    }),
    endpoints: named.has("endpoints") ? new Set(named.get("endpoints")?.split(",")) : null,
    ...(keys === undefined ? {} : { keys }),
  };
}

const STRATEGIES: readonly Strategy[] = ["ordered", "weighted", "least_busy", "lowest_latency", "most_room"];

function readAlias(head: string, rest: string): AliasDefinition {
  const [name = "", strategyName = ""] = head.split(" ");
  const strategy = STRATEGIES.find((known) => known === strategyName);
  if (strategy === undefined) throw new Error(`no strategy: ${head}`);
  const { named, plain } = wordsOf(rest);
  const targets = rest
    .replaceAll(/\b(patience|canary|shadow)=\S+|\bsticky\b/g, "")
    .split(",")
    .filter((text) => text.trim() !== "");
  const canary = readSide(named.get("canary"));
  const shadow = readSide(named.get("shadow"));
  return {
    name,
    strategy,
    targets: targets.map(readTarget),
    patienceMs: readMs(named.get("patience") ?? "0ms"),
    isSticky: plain.includes("sticky"),
    ...(canary === undefined ? {} : { canary }),
    ...(shadow === undefined ? {} : { shadow }),
  };
}

function readSide(text: string | undefined): { to: TargetDefinition; percent: number } | undefined {
  if (text === undefined) return undefined;
  const at = text.lastIndexOf(":");
  return { to: readTarget(text.slice(0, at)), percent: Number(text.slice(at + 1)) };
}

function readTarget(text: string): TargetDefinition {
  const [to = "", conditions] = text.trim().split(/ when /);
  const [name = "", weight = "1"] = to.trim().split("*");
  const slash = name.indexOf("/");
  const when = conditions === undefined ? {} : { when: readCondition(conditions) };
  return slash === -1
    ? { kind: "alias", alias: name, weight: Number(weight), ...when }
    : {
        kind: "model",
        provider: name.slice(0, slash),
        model: name.slice(slash + 1),
        weight: Number(weight),
        ...when,
      };
}

/** `images no-tools stream tokens<100 tokens>100 header.x=y metadata.x=y key=a|b model=a|b`. */
function readCondition(text: string): Condition {
  return Object.assign({}, ...text.trim().split(/\s+/).map(readTest));
}

function readTest(word: string): Condition {
  const flag = /^(no-)?(tools|images|stream)$/.exec(word);
  if (flag !== null) return { [flag[2] ?? ""]: flag[1] === undefined };
  const size = /^tokens([<>])(\d+)$/.exec(word);
  if (size !== null) return { [size[1] === "<" ? "promptTokensMax" : "promptTokensMin"]: Number(size[2]) };
  const pair = /^(header|metadata)\.([\w-]+)=(.*)$/.exec(word);
  if (pair !== null) return { [pair[1] === "header" ? "headers" : "metadata"]: { [pair[2] ?? ""]: pair[3] } };
  const list = /^(key|model)=(.*)$/.exec(word);
  if (list !== null) return { [`${list[1]}s`]: list[2]?.split("|") };
  throw new Error(`no condition: ${word}`);
}
