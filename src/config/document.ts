// A YAML file as plain values, with the place of each. Every scalar is kept as the text that stands there (YAML's failsafe
// schema), so that `no`, `0123` and `1e3` are never guessed at: the schema says what a text has to look like. A value that is
// empty, `~` or `null` counts as not given. Anchors, aliases and `<<` work; tags do not.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Pair,
  type Scalar,
  type YAMLError,
} from "yaml";
import { type Env, interpolate, mask, unmask } from "./interpolate.ts";
import { describePath, NOWHERE, type Path, type Position, type Problem } from "./problems.ts";

/** What a document may be made of; `undefined` is a value that is not given. */
export type Plain = string | undefined | Plain[] | { [key: string]: Plain };

export interface Document {
  readonly file: string;
  readonly value: Plain;
  readonly problems: readonly Problem[];
  /** Where a value stands; for one that is missing, where the thing it is missing from does. */
  locate(path: Path): Position;
  /** Where a key stands. */
  locateKey(path: Path): Position;
  /** The text as it stands in the file, before variables are filled in; undefined for maps and lists. */
  source(path: Path): string | undefined;
}

/** Deeper nesting and more values than these are an attack or an accident. */
const DEPTH_MAX = 32;
const VALUES_MAX = 100_000;

interface Place {
  readonly keyOffset: number;
  readonly offset: number;
  readonly source: string | undefined;
}

/** Reads a document. It does not throw: what is wrong is in `problems`, and what could be read is in `value`. */
export function readDocument(text: string, file: string, env: Env): Document {
  const lines = new LineCounter();
  const reading = new Reading(file, env, lines);
  const value = reading.read(text);
  const position = (offset: number): Position => {
    if (text === "") return NOWHERE;
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  return {
    file,
    value,
    problems: reading.problems,
    locate: (path) => position(reading.placeOf(path)?.offset ?? 0),
    locateKey: (path) => position(reading.placeOf(path)?.keyOffset ?? 0),
    source: (path) => reading.places.get(keyOf(path))?.source,
  };
}

class Reading {
  readonly places = new Map<string, Place>();
  readonly problems: Problem[] = [];
  readonly #anchors = new Map<string, unknown>();
  readonly #file: string;
  readonly #env: Env;
  readonly #lines: LineCounter;
  #values = 0;

  constructor(file: string, env: Env, lines: LineCounter) {
    this.#file = file;
    this.#env = env;
    this.#lines = lines;
  }

  read(text: string): Plain {
    try {
      const document = parseDocument(mask(text), {
        schema: "failsafe",
        // Checked below: the library compares every key with every other.
        uniqueKeys: false,
        prettyErrors: false,
        lineCounter: this.#lines,
      });
      for (const error of document.errors) this.#refuse([], error.pos[0], describeSyntax(error));
      if (document.errors.length > 0) return undefined;
      return this.#plain(document.contents, [], 0);
    } catch (error) {
      // Nesting by the thousand exhausts the parser's stack.
      if (!(error instanceof RangeError)) throw error;
      this.#refuse([], 0, "the file is nested too deeply to be read");
      return undefined;
    }
  }

  /** The place of a path, or of the nearest thing above it that has one. */
  placeOf(path: Path): Place | undefined {
    for (let length = path.length; length >= 0; length--) {
      const place = this.places.get(keyOf(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return undefined;
  }

  #plain(node: unknown, path: Path, keyOffset: number): Plain {
    const offset = offsetOf(node) ?? keyOffset;
    this.#values++;
    if (path.length > DEPTH_MAX || this.#values > VALUES_MAX) {
      if (this.#values <= VALUES_MAX + 1)
        this.#refuse(path, offset, "there is too much nested or repeated here");
      return undefined;
    }
    this.places.set(keyOf(path), {
      keyOffset,
      offset,
      source: isScalar(node) ? textOf(node) : undefined,
    });
    if (isAlias(node)) return this.#alias(node.source, path, keyOffset);
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return undefined;
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (node.tag !== undefined && !node.tag.startsWith("tag:yaml.org,2002:")) {
      this.#refuse(path, offset, "tags (`!…`) have no meaning here");
    }
    if (isMap(node)) return this.#map(node.items, path);
    if (isSeq(node))
      return node.items.map((item, index) => this.#plain(item, [...path, index], offsetOf(item) ?? offset));
    return this.#scalar(textOf(node), node.type === "PLAIN", path);
  }

  #alias(anchor: string, path: Path, keyOffset: number): Plain {
    const target = this.#anchors.get(anchor);
    if (target === undefined) {
      this.#refuse(path, keyOffset, `nothing before this is marked &${anchor}`);
      return undefined;
    }
    // An anchor inside itself would go on for ever; the bounds on depth and values end that.
    return this.#plain(target, path, keyOffset);
  }

  #map(pairs: readonly Pair[], path: Path): Plain {
    const map: { [key: string]: Plain } = {};
    const merged: { [key: string]: Plain } = {};
    for (const { key, value } of pairs) {
      const offset = offsetOf(key) ?? 0;
      if (!isScalar(key)) {
        this.#refuse(path, offset, "a key must be a word");
        continue;
      }
      const name = textOf(key);
      if (name === "<<") {
        const place = this.places.get(keyOf(path));
        this.#merge(merged, this.#plain(value, path, offset), path, offset);
        if (place !== undefined) this.places.set(keyOf(path), place);
      } else if (name === "__proto__") {
        this.#refuse(path, offset, "this key can't be used");
      } else if (Object.hasOwn(map, name)) {
        this.#refuse([...path, name], offset, "this key is here twice");
      } else {
        map[name] = this.#plain(value, [...path, name], offset);
      }
    }
    return { ...merged, ...map };
  }

  /** Takes over what `<<` names; the first of several that has a key wins, and keys written out win over all. */
  #merge(into: { [key: string]: Plain }, value: Plain, path: Path, offset: number): void {
    for (const part of Array.isArray(value) ? value : [value]) {
      if (typeof part !== "object" || Array.isArray(part)) {
        this.#refuse(path, offset, "`<<` takes over the keys of maps, and this is none");
        continue;
      }
      for (const [name, inner] of Object.entries(part)) {
        if (!Object.hasOwn(into, name)) into[name] = inner;
      }
    }
  }

  #scalar(text: string, isPlain: boolean, path: Path): Plain {
    if (isPlain && (text === "" || text === "~" || text === "null")) return undefined;
    if (!text.includes("${")) return text;
    const { text: filled, isChanged, faults } = interpolate(text, this.#env);
    const offset = this.places.get(keyOf(path))?.offset ?? 0;
    for (const fault of faults) {
      // A quotation mark or a block's head stands before the text, so its inner offset counts for plain text only.
      this.#refuse(path, offset + (isPlain ? fault.offset : 0), fault.message);
    }
    // Keeps the schema from complaining about the same value again.
    if (faults.length > 0) return text;
    return isChanged && filled === "" ? undefined : filled;
  }

  #refuse(path: Path, offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push({
      file: this.#file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      key: describePath(path),
      message,
    });
  }
}

function keyOf(path: Path): string {
  return path.join("\0");
}

function offsetOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}

/** The failsafe schema reads every scalar as text. */
function textOf(node: Scalar): string {
  return unmask(String(node.value));
}

/** The library's syntax errors in words of ours, which quote nothing from the file: it may be a secret that broke the syntax. */
const SYNTAX: Readonly<Partial<Record<YAMLError["code"], string>>> = {
  TAB_AS_INDENT: "a tab can't be used to indent; use spaces",
  BAD_INDENT: "the indentation does not fit what is above it, or a bracket is not closed",
  BAD_SCALAR_START: "a value can't begin with this character; put it in quotation marks",
  BAD_DQ_ESCAPE: "this backslash sequence has no meaning; use single quotation marks or write \\\\",
  BLOCK_AS_IMPLICIT_KEY:
    "there are two `key:` on one line; put the value in quotation marks or on lines of its own",
  MISSING_CHAR:
    "something is not closed or a separator is missing: check brackets, quotation marks, commas and colons",
  MULTIPLE_DOCS: "a second document begins here (`---`); a configuration is one document",
};

function describeSyntax(error: YAMLError): string {
  return SYNTAX[error.code] ?? "this is not valid YAML";
}
