// Forms, read piece by piece: the model is found wherever it stands and however the bytes are cut, and what could be read in
// two ways is refused.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import { boundaryOf, MultipartReader } from "../../../src/gateway/request/multipart.ts";

interface Part {
  readonly head: string;
  readonly value: string;
}

function form(parts: readonly Part[], boundary = "b"): string {
  return `${parts.map(({ head, value }) => `--${boundary}\r\n${head}\r\n\r\n${value}\r\n`).join("")}--${boundary}--\r\n`;
}

const field = (name: string, value: string): Part => ({
  head: `Content-Disposition: form-data; name="${name}"`,
  value,
});
const FILE: Part = {
  head: 'Content-Disposition: form-data; name="file"; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav',
  value: "\u0000\r\n--\r\n-b\r\n\r\n--c",
};

function read(text: string, cuts: readonly number[] = [], boundary = "b") {
  const bytes = Buffer.from(text, "latin1");
  const reader = new MultipartReader(boundary);
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    reader.push(bytes.subarray(from, end));
    from = end;
  }
  return { model: reader.model, isWhole: reader.isWhole, bytes };
}

function failure(action: () => unknown): GatewayError {
  try {
    action();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("Nothing was refused.");
}

describe("a form", () => {
  test.each([
    ["before the file", [field("model", "smart"), FILE]],
    ["behind the file", [FILE, field("prompt", "x"), field("model", "smart")]],
    ["alone", [field("model", "smart")]],
  ])("names its model %s", (_, parts) => {
    const { model, isWhole, bytes } = read(form(parts));
    expect(isWhole).toBe(true);
    expect(model?.name).toBe("smart");
    expect(bytes.toString("latin1", model?.span.start, model?.span.end)).toBe("smart");
  });

  test("gives the same wherever its bytes are cut", () => {
    const text = form([FILE, field("model", "smart"), field("n", "1")]);
    for (let cut = 0; cut <= text.length; cut++) {
      expect(read(text, [cut])).toMatchObject({ isWhole: true, model: { name: "smart" } });
    }
  });

  test("is read in single bytes", () => {
    const text = form([FILE, field("model", "smart")]);
    const cuts = Array.from({ length: text.length }, (_, at) => at);
    expect(read(text, cuts)).toMatchObject({ isWhole: true, model: { name: "smart" } });
  });

  test.each([
    ["no model", [FILE], null],
    ["an empty one", [field("model", ""), FILE], ""],
    ["a name in other letters", [field("Model", "x")], null],
  ])("may have %s", (_, parts, name) => {
    expect(read(form(parts)).model?.name ?? null).toBe(name);
  });

  test.each([
    ["two models", form([field("model", "a"), field("model", "b")]), /twice/],
    ["text before its boundary", `hello\r\n${form([FILE])}`, /does not begin/],
    ["another boundary", form([FILE], "c"), /does not begin/],
    ["a boundary with a tail", form([field("x", "1\r\n--bb\r\n")]), /boundary is followed/],
    [
      "a part without a name",
      form([{ head: "content-disposition: form-data", value: "" }]),
      /name is missing/,
    ],
    ["a part without a disposition", form([{ head: "content-type: text/plain", value: "" }]), /lacks its/],
    [
      "a name in another notation",
      form([{ head: "content-disposition: form-data; name*=UTF-8''model", value: "" }]),
      /read differently/,
    ],
    [
      "a name with a backslash",
      form([{ head: 'content-disposition: form-data; name="mod\\el"', value: "" }]),
      /read differently/,
    ],
    [
      "two names",
      form([{ head: 'content-disposition: form-data; name="a"; name="model"', value: "" }]),
      /read differently/,
    ],
    [
      "two dispositions",
      form([{ head: `${field("a", "").head}\r\n${field("model", "").head}`, value: "" }]),
      /two dispositions/,
    ],
    [
      "an encoded part",
      form([{ head: `${field("model", "").head}\r\ncontent-transfer-encoding: base64`, value: "eA==" }]),
      /encoded/,
    ],
    [
      "a folded header",
      form([{ head: 'content-disposition: form-data;\r\n name="model"', value: "" }]),
      /no list of headers/,
    ],
    ["a head without an end", `--b\r\n${"a: b\r\n".repeat(3000)}`, /too long/],
    ["a model without an end", `--b\r\n${field("model", "").head}\r\n\r\n${"x".repeat(5000)}`, /too long/],
    [
      "parts without an end",
      form(Array.from({ length: 1001 }, (_, at) => field(`f${at}`, ""))),
      /more than 1000/,
    ],
  ])("with %s is refused", (_, text, reason) => {
    expect(failure(() => read(text)).message).toMatch(reason);
    // Cut into single bytes it is the same.
    expect(
      failure(() =>
        read(
          text,
          Array.from({ length: 200 }, (_x, at) => at),
        ),
      ).message,
    ).toMatch(reason);
  });

  test("of any bytes ends in a GatewayError or is read, and a form with any values names its model", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.array(fc.nat(), { maxLength: 5 }), (value, cuts) => {
        const plain = value.replaceAll("--b", "");
        const text = form([field("other", plain), field("model", "smart"), field("last", plain)]);
        expect(read(Buffer.from(text).toString("latin1"), cuts)).toMatchObject({
          isWhole: true,
          model: { name: "smart" },
        });
        try {
          read(`--b\r\n${Buffer.from(value).toString("latin1")}`, cuts);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  });
});

describe("a form's boundary", () => {
  test.each([
    ["multipart/form-data; boundary=abc", "abc"],
    ['Multipart/Form-Data; charset=utf-8; boundary="a b"', "a b"],
    [
      "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
      "----WebKitFormBoundary7MA4YWxkTrZu0gW",
    ],
  ])("%s", (type, boundary) => {
    expect(boundaryOf(type)).toBe(boundary);
  });

  test.each([
    [undefined, 415],
    ["application/json", 415],
    ["multipart/mixed; boundary=a", 415],
    ["multipart/form-data", 400],
    ["multipart/form-data; boundary=", 400],
    ["multipart/form-data; boundary=a; boundary=b", 400],
    [`multipart/form-data; boundary=${"x".repeat(71)}`, 400],
    ['multipart/form-data; boundary="a\u0001"', 400],
  ])("%s is refused", (type, status) => {
    expect(failure(() => boundaryOf(type)).status).toBe(status);
  });
});
