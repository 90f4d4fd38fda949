// docs/PROVIDERS.md's tables, worked out by asking every dialect for every feature. `SLUICE_REWRITE=1` writes them anew.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GatewayError } from "../../src/errors.ts";
import { MESSAGES_RULES } from "../../providers/dialects/anthropic/request.ts";
import { CONVERSE_RULES } from "../../providers/dialects/bedrock/request.ts";
import { GENERATE_RULES } from "../../providers/dialects/gemini/request.ts";
import { CLIENT_DIALECTS, DIALECTS } from "../../providers/dialects/index.ts";
import { isObject, readArray, readString } from "../../providers/dialects/json.ts";
import { MESSAGES_CLIENT_RULES } from "../../providers/dialects/messages/request.ts";
import { RESPONSES_RULES } from "../../providers/dialects/responses/request.ts";
import { DIALECT_NAMES } from "../../providers/dialects/vocabulary.ts";
import { ANSWER_FEATURES, ANSWERS, REQUEST_FEATURES, type RequestFeature } from "./features.ts";
import { target } from "./recordings.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs/PROVIDERS.md");
const IS_REWRITING = process.env["SLUICE_REWRITE"] === "1";

/** A model of each language that can do what the language can. */
const MODELS: Readonly<Record<string, string>> = {
  openai: "any",
  anthropic: "claude-opus-4-6",
  gemini: "gemini-3.1-pro-preview",
  bedrock: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
};

const CARRIED = "yes";
const CHANGED = "warns";
const REFUSED = "refused";

/** What becomes of a request; one that is lost without a word is no outcome but a fault. */
function requestOutcome({ name, request, evidence }: RequestFeature, dialect: string): string {
  const language = DIALECTS.get(dialect);
  try {
    // Nothing is stripped where client and provider speak the same language.
    const about = { model: MODELS[dialect] ?? "", quirks: { strip: [] } };
    const encoded = language?.chat.encode(request, target(about));
    if (encoded === undefined || encoded.warnings.length > 0) return CHANGED;
    expect(String(encoded.body), `${name} of ${dialect} was lost silently`).toMatch(evidence);
    return CARRIED;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "unsupported_parameter") return REFUSED;
    throw error;
  }
}

function answerOutcome(evidence: RegExp, dialect: string): string {
  const decoded = DIALECTS.get(dialect)?.chat.decode(ANSWERS[dialect], target());
  return evidence.test(JSON.stringify(decoded?.body)) ? CARRIED : "–";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function featureTable(): string {
  const requests = REQUEST_FEATURES.map((feature) =>
    [feature.group, feature.name].concat(DIALECT_NAMES.map((dialect) => requestOutcome(feature, dialect))),
  );
  const answers = ANSWER_FEATURES.map(([name, evidence]) =>
    ["Answer", name].concat(DIALECT_NAMES.map((dialect) => answerOutcome(evidence, dialect))),
  );
  return table(["", "feature", ...DIALECT_NAMES], [...requests, ...answers]);
}

/** Every member that some table has a rule for. */
function memberTable(): string {
  const rules = [MESSAGES_RULES, GENERATE_RULES, CONVERSE_RULES];
  const names = [...new Set(rules.flatMap((each) => Object.keys(each)))].toSorted();
  const rows = names.map((name) => [`\`${name}\``].concat(rules.map((each) => each[name] ?? "dropped")));
  return table(["member of the chat request", "anthropic", "gemini", "bedrock"], rows);
}

function clientTable(): string {
  const row = (route: string, [name, rule]: [string, string]): readonly string[] => [
    route,
    `\`${name}\``,
    rule,
  ];
  const rows = [
    ...Object.entries(MESSAGES_CLIENT_RULES).map((entry) => row("`/v1/messages`", entry)),
    ...Object.entries(RESPONSES_RULES).map((entry) => row("`/v1/responses`", entry)),
  ];
  return table(["route", "member", "over another language"], rows);
}

/** A catalog file names a page of ours from the top folder, and the table stands in docs/. */
function linkFromDocs(entry: unknown): string {
  return (readString(entry, "docs") ?? "").replace(/^docs\//, "");
}

function vendorTable(): string {
  const folder = join(ROOT, "providers/catalog");
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
  const rows = files.map((file) => {
    const entry: unknown = parse(readFileSync(join(folder, file), "utf8"));
    const quirks =
      isObject(entry) && isObject(entry["quirks"])
        ? Object.keys(entry["quirks"]).map((name) => `\`${name}\``)
        : [];
    const name = readString(entry, "name") ?? "";
    const endpoints = readArray(entry, "endpoints").join(", ");
    return [
      `\`${file.replace(".yaml", "")}\``,
      `[${name}](${linkFromDocs(entry)})`,
      readString(entry, "dialect") ?? "",
      endpoints === "" ? "chat" : endpoints,
      quirks.join(", "),
    ];
  });
  return table(
    ["type", "vendor", "language", "endpoints", "quirks"],
    rows.toSorted((left, right) => (left.join() < right.join() ? -1 : 1)),
  );
}

const TABLES: Readonly<Record<string, () => string>> = {
  features: featureTable,
  members: memberTable,
  clients: clientTable,
  vendors: vendorTable,
};

describe("docs/PROVIDERS.md", () => {
  test.each(Object.keys(TABLES))("has the current table of %s", (name) => {
    const current = TABLES[name]?.() ?? "";
    const document = readFileSync(DOCUMENT, "utf8");
    const section = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(\\n<!-- /${name} -->)`);
    const written = document.replace(section, (_, start: string, end: string) => `${start}${current}${end}`);
    if (IS_REWRITING) writeFileSync(DOCUMENT, written);
    expect(document, "run with SLUICE_REWRITE=1 to write the tables anew").toMatch(section);
    expect(IS_REWRITING ? written : document).toBe(written);
  });
});

test("every language is registered under the name that catalog files use", () => {
  expect([...DIALECTS.keys()].toSorted()).toEqual([...DIALECT_NAMES].toSorted());
  expect([...CLIENT_DIALECTS.keys()]).toEqual(["messages", "responses"]);
});
