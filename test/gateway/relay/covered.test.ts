import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import { covered } from "../../../src/gateway/relay/covered.ts";
import { secretForms } from "../../../src/observe/secret-forms.ts";

const FORMS = secretForms(["sk-123456", 'a "quoted" word', "short", "sk-123456-and-more"]);

describe("an error that quotes a secret", () => {
  test.each([
    ["You sent sk-123456.", "You sent [secret]."],
    ["sk-123456-and-more, sk-123456", "[secret], [secret]"],
    ['a "quoted" word', "[secret]"],
    [String.raw`{"x":"a \"quoted\" word"}`, '{"x":"[secret]"}'],
    ["/v1?key=a%20%22quoted%22%20word", "/v1?key=[secret]"],
    ["a short word", "a short word"],
    ["cut in sk-123456-and-m…", "cut in [secret]…"],
    ["cut in sk-123…", "cut in [secret]…"],
    ["cut elsewhere…", "cut elsewhere…"],
  ])("%s", (text, shown) => {
    const answer = { status: 400, body: text };
    const error = covered(
      new GatewayError("invalid_request", text, { status: 422, param: "x", answer }),
      FORMS,
    );
    expect(error).toMatchObject({
      message: shown,
      status: 422,
      param: "x",
      answer: { status: 400, body: shown },
    });
  });
});

test("an error without secrets is the very same", () => {
  const error = new GatewayError("invalid_request", "x");
  expect(covered(error, FORMS)).toBe(error);
});
