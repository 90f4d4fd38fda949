import { isUtf8 } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DEPTH_MAX,
  MEMBERS_MAX,
  scanJson,
  type Scan,
  type ScanFault,
} from "../../../src/gateway/request/json-scan.ts";
import { MemberTable } from "../../../src/gateway/request/member-table.ts";

const NAMES = ["model", "stream", "messages", "a", "", "ünïcode", "n"] as const;
const TABLE = new MemberTable(NAMES);

function scan(text: string): Scan | ScanFault {
  return scanJson(Buffer.from(text), TABLE);
}

/** The known members' values as the scan found them. */
function found(bytes: Buffer, result: Scan): Record<string, unknown> {
  const values: [string, unknown][] = [];
  for (const [index, name] of NAMES.entries()) {
    const start = result.spans[2 * index] ?? 0;
    const end = result.spans[2 * index + 1] ?? 0;
    if (end > 0) values.push([name, JSON.parse(bytes.toString("utf8", start, end))]);
  }
  return Object.fromEntries(values);
}

function parse(bytes: Buffer): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(bytes.toString("utf8")) };
  } catch {
    return undefined;
  }
}

/** Whether an object, written with doubled top-level names kept apart, has any: JSON.parse hides them. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The scan and JSON.parse agree on these bytes, but for what the scan refuses on purpose. */
function agrees(bytes: Buffer): void {
  const parsed = isUtf8(bytes) ? parse(bytes) : undefined;
  const result = scanJson(bytes, TABLE);
  if (result.kind === "fault") {
    expect(result.at).toBeLessThanOrEqual(bytes.length);
    if (result.member !== null || parsed === undefined || !isPlainObject(parsed.value)) return;
    expect.fail(`refused valid JSON (${result.reason} at ${result.at}): ${bytes.toString()}`);
  }
  if (!isUtf8(bytes)) return;
  if (parsed === undefined) return expect.fail(`accepted invalid JSON: ${bytes.toString()}`);
  expect(isPlainObject(parsed.value)).toBe(true);
  const known = Object.entries(parsed.value ?? {}).filter(([name]) => NAMES.some((known) => known === name));
  expect(found(bytes, result)).toEqual(Object.fromEntries(known));
}

const anyName = fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: "binary" }));
const anyObject = fc
  .dictionary(anyName, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 8 })
  .filter((object) => !Object.hasOwn(object, "__proto__"));
const anyIndent = fc.constantFrom("", " ", "\t", "\r\n  ");

describe("scanning JSON", () => {
  test("finds what JSON.parse finds in any object, however it is indented", () => {
    fc.assert(
      fc.property(anyObject, anyIndent, (object, indent) => {
        const bytes = Buffer.from(`${indent}${JSON.stringify(object, null, indent)}${indent}`);
        const result = scanJson(bytes, TABLE);
        expect(result).toMatchObject({ kind: "scanned", memberCount: Object.keys(object).length });
        agrees(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test("agrees with JSON.parse about objects with bytes changed, lost or added", () => {
    const mutation = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("change", "remove", "insert", "cut"),
      byte: fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\u0eE+-.tfn \n\0')), fc.nat(255)),
    });
    fc.assert(
      fc.property(anyObject, fc.array(mutation, { minLength: 1, maxLength: 4 }), (object, mutations) => {
        const bytes = [...Buffer.from(JSON.stringify(object))];
        for (const { at, kind, byte } of mutations) {
          const place = bytes.length === 0 ? 0 : at % bytes.length;
          if (kind === "change") bytes[place] = byte;
          else if (kind === "remove") bytes.splice(place, 1);
          else if (kind === "insert") bytes.splice(place, 0, byte);
          else bytes.length = place;
        }
        agrees(Buffer.from(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  test("agrees with JSON.parse about every way to write a number", () => {
    const piece = fc.constantFrom("-", "+", ".", "e", "E", "0", "1", "9", "00", "12");
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        agrees(Buffer.from(`{"n":${pieces.join("")}}`));
      }),
      { numRuns: 5000 },
    );
  });

  test("agrees with JSON.parse about every byte inside a string and after a backslash", () => {
    for (let byte = 0; byte < 256; byte++) {
      agrees(Buffer.concat([Buffer.from('{"a":"x'), Buffer.from([byte]), Buffer.from('y"}')]));
      agrees(Buffer.concat([Buffer.from('{"a":"x\\'), Buffer.from([byte]), Buffer.from('1234y"}')]));
      agrees(
        Buffer.concat([
          Buffer.from('{"a":"long enough for a round of eight'),
          Buffer.from([byte, 0x22, 0x7d]),
        ]),
      );
    }
  });

  test.each([
    ['{"model":"x","model":"y"}', "model"],
    ['{"model":"x","mod\\u0065l":"y"}', "model"],
    ['{"mod\\u0065l":"x","model":"y"}', "model"],
    ['{"other":1,"other":2}', "other"],
    ['{"oth\\u0065r":1,"other":2}', "other"],
    ['{"":1,"":2}', ""],
  ])("names the doubled member of %s", (text, member) => {
    expect(scan(text)).toMatchObject({ kind: "fault", member });
  });

  test("allows doubled names below the top", () => {
    expect(scan('{"a":{"b":1,"b":2}}')).toMatchObject({ kind: "scanned", memberCount: 1 });
  });

  test.each([
    ["", 0, "it is empty"],
    ["  ", 2, "it ends too early"],
    ["[]", 0, "it must be an object"],
    ["\ufeff{}", 0, "it begins with a byte order mark"],
    ['{"a":1', 6, "it ends too early"],
    ['{"a":"b', 7, "it ends too early"],
    ['{"a":tru}', 5, "a value is missing or misspelt"],
    ['{"a":}', 5, "a value is missing or misspelt"],
    ['{"a" 1}', 5, "a colon is missing after a member's name"],
    ["{a:1}", 1, "a member's name in double quotes is missing"],
    ['{"a":1,}', 7, "a member's name in double quotes is missing"],
    ['{"a":[1,]}', 8, "a value is missing or misspelt"],
    ['{"a":1}{', 7, "there is more text after its end"],
    ['{"a":"\n"}', 6, "a control character in a string is not escaped"],
    ['{"a":"\\x"}', 7, "an escape in a string is unknown"],
    ['{"a":"\\u12g4"}', 10, "an escape in a string lacks its four hexadecimal digits"],
    ['{"a":1.}', 7, "a number lacks digits after its point"],
    ['{"a":1e}', 7, "a number lacks digits in its exponent"],
  ])("says of %j that at byte %i %s", (text, at, reason) => {
    expect(scan(text)).toEqual({ kind: "fault", at, reason, member: null });
  });

  test("bounds how deep values nest", () => {
    const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    expect(scan(nested(DEPTH_MAX))).toMatchObject({ kind: "scanned" });
    expect(scan(nested(DEPTH_MAX + 1))).toMatchObject({ kind: "fault", at: 5 + DEPTH_MAX - 1 });
    expect(scan(nested(1_000_000))).toMatchObject({ kind: "fault" });
  });

  test("bounds how many members the object has", () => {
    const wide = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, i])));
    expect(scan(wide(MEMBERS_MAX))).toMatchObject({ kind: "scanned" });
    expect(scan(wide(MEMBERS_MAX + 1))).toMatchObject({ kind: "fault" });
  });

  test("counts image parts and the bytes that are media rather than text", () => {
    const url = `data:image/png;base64,${"A".repeat(1000)}`;
    const parts = [
      { type: "text", text: "image_url" },
      { type: "image_url", image_url: { url } },
      { type: "input_audio", input_audio: { data: "B".repeat(500), format: "wav" } },
      { type: "image", source: { type: "base64", data: "C".repeat(300) } },
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
    ];
    const result = scan(JSON.stringify({ messages: [{ role: "user", content: parts }] }));
    expect(result).toMatchObject({ imageCount: 3, mediaBytes: url.length + 500 + 300 });
  });

  test("takes time in proportion to the text's length", () => {
    // Operations are counted by a proxy of cost that does not depend on the machine: how often a byte is read.
    const reads = (size: number) => {
      let count = 0;
      const bytes = new Proxy(Buffer.from(`{"a":"${"x".repeat(size)}","b":[${"1,".repeat(size)}1]}`), {
        get(target, key) {
          const value: unknown = Reflect.get(target, key);
          if (typeof key === "string" && /^\d+$/.test(key)) count++;
          return value;
        },
      });
      expect(scanJson(bytes, new MemberTable(["a", "b"]))).toMatchObject({ kind: "scanned" });
      return count;
    };
    expect(reads(4000) / reads(1000)).toBeLessThan(4.1);
  });
});
