// Whatever comes in, a parser either understands it or throws a `GatewayError`: anything else would be a 500 and a line
// in the log for somebody else's mistake.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { BodyMembers } from "../../src/gateway/request/request.ts";
import { scanRequest } from "../../src/gateway/request/request-scan.ts";
import { rewriteRequest } from "../../src/gateway/request/request-rewrite.ts";
import { announcedLength, checkIsJson, decodeBody } from "../../src/http/content.ts";
import { errorHeaders, errorBody } from "../../src/http/error-answer.ts";
import { modelById } from "../../src/http/models.ts";
import { checkPath, notFound, pathOf } from "../../src/http/paths.ts";
import { ANONYMOUS, OPEN_RUNTIME } from "./server-fixture.ts";

/** Runs the parser; an expected failure is fine, anything else fails the property. */
function understandsOrRefuses(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
  }
}

const anyText = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 3000 }));
const RUNS = { numRuns: 2000 };

describe("no parser throws anything but a GatewayError", () => {
  test("for any path", () => {
    const piece = fc.constantFrom(
      "/",
      "//",
      ".",
      "..",
      "%",
      "%2e",
      "%2f",
      "%00",
      "%c3",
      "\\",
      "v1",
      "models",
      "é",
      "?",
    );
    const anyPath = fc.oneof(
      anyText,
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(anyPath, fc.boolean(), (url, isKnown) => {
        understandsOrRefuses(() => {
          const path = pathOf({ url });
          const error = notFound("GET", path, () => isKnown);
          expect(error.message.length).toBeLessThan(7000);
          checkPath(path);
          modelById(OPEN_RUNTIME, ANONYMOUS, decodeURIComponent(path));
        });
      }),
      RUNS,
    );
  });

  test("for any content type and length", () => {
    fc.assert(
      fc.property(anyText, anyText, (contentType, length) => {
        understandsOrRefuses(() => checkIsJson(contentType));
        understandsOrRefuses(() => announcedLength({ "content-length": length }, 1000));
      }),
      RUNS,
    );
  });

  test("for any bytes in any encoding", async () => {
    const anyEncoding = fc.oneof(fc.constantFrom("gzip", "deflate", "br", "zstd"), fc.string());
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), anyEncoding, async (bytes, encoding) => {
        const { promise, resolve } = Promise.withResolvers<GatewayError | null>();
        decodeBody(Buffer.from(bytes), encoding, 1000, resolve);
        const error = await promise;
        if (error !== null) expect(error).toBeInstanceOf(GatewayError);
      }),
      { numRuns: 300 },
    );
  });

  test("for any body, and what is understood can be rewritten", () => {
    const member = fc.constantFrom(
      "model",
      "messages",
      "stream",
      "stream_options",
      "max_tokens",
      "n",
      "user",
      "x",
    );
    const value = fc.oneof(
      fc.json({ maxDepth: 2 }),
      fc.constantFrom('"m"', "true", "null", "{}", "[]", "1", "-", '"'),
    );
    const anyBody = fc.array(fc.tuple(member, value), { maxLength: 6 }).map((members) => {
      return `{${members.map(([name, value]) => `"${name}":${value}`).join(",")}}`;
    });
    fc.assert(
      fc.property(fc.oneof(anyBody, anyText), (text) => {
        understandsOrRefuses(() => {
          const body = Buffer.from(text);
          const members: BodyMembers = scanRequest(body, null);
          const rewritten = rewriteRequest(body, members, { model: Buffer.from('"other"'), addUsage: true });
          const request = JSON.parse(rewritten.toString());
          expect(request).toMatchObject({ model: "other", stream_options: { include_usage: true } });
        });
      }),
      { numRuns: 10_000 },
    );
  });

  test("and every error can be sent", () => {
    fc.assert(
      fc.property(anyText, anyText, fc.double(), (message, param, retryAfterMs) => {
        const error = new GatewayError("rate_limit_exceeded", message, { param, retryAfterMs });
        for (const shape of ["chat", "messages"] as const) {
          expect(JSON.parse(errorBody(error, shape, "id"))).toMatchObject({ error: { message } });
          for (const value of errorHeaders(error, shape, "id")) expect(value).toMatch(/^[\x20-\x7e]+$/);
        }
      }),
      RUNS,
    );
  });
});
