import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import type { RequiredMember } from "../../../src/gateway/request/request-members.ts";
import { rewriteRequest, splice } from "../../../src/gateway/request/request-rewrite.ts";
import { scanRequest } from "../../../src/gateway/request/request-scan.ts";

const MESSAGES: RequiredMember = { name: "messages", kind: "array" };
const INPUT: RequiredMember = { name: "input", kind: "string or array" };

function bodyOf(request: unknown): Buffer {
  return Buffer.from(JSON.stringify(request));
}

/** The error a body is refused with. */
function refusal(body: Buffer | string, required: RequiredMember | null = null): GatewayError {
  try {
    scanRequest(Buffer.from(body), required);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("The body was accepted.");
}

describe("scanning a request", () => {
  test("reads every member that matters", () => {
    const request = {
      model: "smart \u00fc\n",
      messages: [{ role: "user", content: "hi" }],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 100,
      max_completion_tokens: 50,
      n: 2,
      user: "u-1",
      prompt_cache_key: "k",
      encoding_format: "base64",
      tools: [{ type: "function" }],
      metadata: { team: "a" },
    };
    expect(scanRequest(bodyOf(request), MESSAGES)).toMatchObject({
      model: request.model,
      isStream: true,
      includeUsage: true,
      maxTokens: 50,
      choices: 2,
      session: "k",
      encodingFormat: "base64",
      hasTools: true,
      imageCount: 0,
    });
  });

  test("takes null for absent", () => {
    const request = {
      model: "m",
      stream: null,
      stream_options: null,
      max_tokens: null,
      n: null,
      user: null,
      tools: null,
    };
    expect(scanRequest(bodyOf(request), null)).toMatchObject({
      isStream: false,
      includeUsage: false,
      maxTokens: null,
      choices: 1,
      session: null,
      hasTools: false,
    });
  });

  test.each([
    [{}, "model"],
    [{ model: null }, "model"],
    [{ model: 5 }, "model"],
    [{ model: "" }, "model"],
    [{ model: "m".repeat(257) }, "model"],
    [{ model: ["m"] }, "model"],
    [{ model: "m", stream: "true" }, "stream"],
    [{ model: "m", stream: 1 }, "stream"],
    [{ model: "m", stream_options: true }, "stream_options"],
    [{ model: "m", stream_options: { include_usage: "yes" } }, "stream_options.include_usage"],
    [{ model: "m", stream_options: { x: "y".repeat(5000) } }, "stream_options"],
    [{ model: "m", max_tokens: "many" }, "max_tokens"],
    [{ model: "m", max_tokens: -1 }, "max_tokens"],
    [{ model: "m", max_tokens: 1.5 }, "max_tokens"],
    [{ model: "m", max_tokens: 1e300 }, "max_tokens"],
    [{ model: "m", max_completion_tokens: [1] }, "max_completion_tokens"],
    [{ model: "m", n: 0 }, "n"],
    [{ model: "m", n: 129 }, "n"],
    [{ model: "m", user: { id: 1 } }, "user"],
    [{ model: "m", max_completion_tokens: 1, max_tokens: "x" }, "max_tokens"],
  ])("refuses %j and names %s", (request, param) => {
    expect(refusal(bodyOf(request))).toMatchObject({ code: "invalid_request", status: 400, param });
  });

  test.each([
    [{ model: "m" }, MESSAGES, "messages"],
    [{ model: "m", messages: "hi" }, MESSAGES, "messages"],
    [{ model: "m", messages: {} }, MESSAGES, "messages"],
    [{ model: "m" }, INPUT, "input"],
    [{ model: "m", input: 5 }, INPUT, "input"],
  ])("refuses %j where %j is required", (request, required, param) => {
    expect(refusal(bodyOf(request), required)).toMatchObject({ code: "invalid_request", param });
  });

  test("says where the text goes wrong, as people count", () => {
    expect(refusal('{"model":"m",\n  "ü": x}')).toMatchObject({
      code: "invalid_json",
      message: expect.stringContaining("line 2, column 8"),
    });
    expect(refusal('{"model":"m"').message).toContain("ends too early");
  });

  test("refuses bytes that are not UTF-8", () => {
    expect(refusal(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toMatchObject({
      code: "invalid_json",
    });
  });

  test("refuses a doubled member and names it", () => {
    expect(refusal('{"model":"a","model":"b"}')).toMatchObject({ code: "invalid_request", param: "model" });
  });

  test("throws nothing but GatewayErrors, whatever the bytes", () => {
    const anyRequest = fc.dictionary(
      fc.constantFrom(
        "model",
        "stream",
        "stream_options",
        "max_tokens",
        "n",
        "user",
        "metadata",
        "tools",
        "messages",
      ),
      fc.oneof(fc.jsonValue(), fc.constantFrom("m", true, 1)),
    );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), anyRequest), (input) => {
        const body = input instanceof Uint8Array ? Buffer.from(input) : bodyOf(input);
        try {
          scanRequest(body, MESSAGES);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe("rewriting a request", () => {
  const model = Buffer.from('"provider-model"');

  test("changes the model and asks for usage, and nothing else", () => {
    const name = fc.string({ minLength: 1, maxLength: 20 });
    const rest = fc.dictionary(
      fc
        .string()
        .filter((key) => !["model", "stream_options", "__proto__"].includes(key) && !/^\d+$/.test(key)),
      fc.jsonValue(),
    );
    const options = fc.constantFrom(
      undefined,
      null,
      {},
      { include_usage: false, x: 1 },
      { include_usage: true },
    );
    fc.assert(
      fc.property(name, rest, options, fc.constantFrom("", "\t"), (asked, others, options, indent) => {
        const request: Record<string, unknown> = { ...others, model: asked };
        if (options !== undefined) request["stream_options"] = options;
        // Members of the other types that scanning itself would refuse are not this test's subject.
        for (const key of ["stream", "max_tokens", "max_completion_tokens", "max_output_tokens", "n"])
          delete request[key];
        for (const key of ["user", "prompt_cache_key", "encoding_format", "metadata"]) delete request[key];
        const body = Buffer.from(JSON.stringify(request, null, indent));
        const rewritten = rewriteRequest(body, scanRequest(body, null), { model, addUsage: true });
        // What was sent, not what was made: JSON has no -0.
        expect(JSON.parse(rewritten.toString())).toEqual({
          ...JSON.parse(body.toString()),
          model: "provider-model",
          stream_options: { ...options, include_usage: true },
        });
      }),
      { examples: [["m", { x: -0 }, undefined, ""]] },
    );
  });

  test("gives back the same bytes when there is nothing to change", () => {
    const body = bodyOf({ model: "provider-model", stream_options: { include_usage: true } });
    expect(rewriteRequest(body, scanRequest(body, null), { model, addUsage: true })).toBe(body);
    expect(rewriteRequest(body, scanRequest(body, null), { model: null, addUsage: false })).toBe(body);
  });

  test("keeps the client's own spelling of everything else", () => {
    const body = Buffer.from('{ "seed": 12345678901234567890, "model" : "x", "t":1.0e0, "s":"\\u00e9\\/" }');
    const rewritten = rewriteRequest(body, scanRequest(body, null), { model, addUsage: false });
    expect(rewritten.toString()).toBe(
      '{ "seed": 12345678901234567890, "model" : "provider-model", "t":1.0e0, "s":"\\u00e9\\/" }',
    );
  });

  test("splices edits in any order", () => {
    const edits = [
      { start: 6, end: 6, bytes: Buffer.from("!") },
      { start: 0, end: 2, bytes: Buffer.from("") },
      { start: 3, end: 4, bytes: Buffer.from("long") },
    ];
    expect(splice(Buffer.from("abcdef"), edits).toString()).toBe("clongef!");
  });
});
