// Every relative link in the README and the documents leads to a file, and every anchor to a heading; a planted fault of each kind
// shows that the check can fail.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

const DOCUMENTS = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

const FENCED = /^(`{3,}|~{3,}).*?^\1/gms;
const INLINE_CODE = /`[^`\n]*`/g;
const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;

/** The anchors of a document's headings, as forges make them. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replaceAll(FENCED, "").matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** What is wrong with one link of a document, or undefined. */
function linkFault(document: string, text: string, link: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined;
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? document : relative(ROOT, join(ROOT, dirname(document), path));
  if (!existsSync(join(ROOT, target))) return `${document} links to ${link}, and there is no ${target}`;
  if (anchor === undefined || !target.endsWith(".md")) return undefined;
  const there = path === "" ? text : readFileSync(join(ROOT, target), "utf8");
  return anchorsOf(there).has(anchor)
    ? undefined
    : `${document} links to ${link}, and ${target} has no such heading`;
}

function faultsOf(document: string, text: string): readonly string[] {
  const prose = text.replaceAll(FENCED, "").replaceAll(INLINE_CODE, "x");
  return [...prose.matchAll(LINK)].flatMap(([, link = ""]) => linkFault(document, text, link) ?? []);
}

test.each(DOCUMENTS)("the links of %s lead somewhere", (document) => {
  expect(faultsOf(document, readFileSync(join(ROOT, document), "utf8"))).toEqual([]);
});

describe("a link", () => {
  test.each([
    ["docs/x.md", "[a](docs/ERRORS.md)", "there is no docs/docs/ERRORS.md"],
    ["README.md", "[a](docs/OPERATIONS.md#nowhere)", "docs/OPERATIONS.md has no such heading"],
    ["README.md", "# Here\n[a](#there)", "README.md has no such heading"],
  ])("of %s that reads %s is found", (document, text, fault) => {
    expect(faultsOf(document, text).join()).toContain(fault);
  });

  test.each([
    ["docs/x.md", "[a](ERRORS.md), [b](../README.md#start), [c](https://example.com/#x)"],
    ["README.md", "# How it's done, `twice`\n# Twice\n# Twice\n[a](#how-its-done-twice) [b](#twice-1)"],
    ["README.md", "`[a](nowhere.md)`\n```\n[b](nowhere.md)\n```"],
  ])("of %s that is right is no fault: %s", (document, text) => {
    expect(faultsOf(document, text)).toEqual([]);
  });
});
