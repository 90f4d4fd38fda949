// No request and no answer, whatever it is, makes a dialect throw anything but a GatewayError, and what a dialect writes
// is JSON. A share of what goes in must come out, so that the tests can't pass on refusals alone.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { ClientContext } from "../../providers/dialects/dialect.ts";
import {
  CLIENT_DIALECTS,
  countTokens,
  DIALECTS,
  withoutUnsignedThinking,
} from "../../providers/dialects/index.ts";
import type { Json } from "../../providers/dialects/json.ts";
import {
  assistant,
  chatRequests,
  junk,
  messagesRequests,
  near,
  parts,
  responsesRequests,
  text,
} from "./arbitraries.ts";
import { target } from "./recordings.ts";

const CONTEXT: ClientContext = { request: {}, id: "1", createdSeconds: 5, inputTokens: 1 };
const MODELS = [
  "gemini-1.5-pro",
  "gemini-3-pro",
  "claude-3-7-sonnet",
  "claude-opus-5",
  "us.amazon.nova-2-lite-v1:0",
  "x",
];
const RUNS = 400;

/** Feeds the values to `run`; a GatewayError is as good an outcome as any, but it must not be the only one. */
function check<T>(values: fc.Arbitrary<T>, run: (value: T) => void): void {
  let refused = 0;
  const property = fc.property(values, (value) => {
    try {
      run(value);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      refused++;
    }
  });
  fc.assert(property, { numRuns: RUNS });
  expect(refused).toBeLessThan(0.95 * RUNS);
}

function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

const answers = fc.oneof(
  near(
    { choices: fc.array(near({ message: assistant, finish_reason: text }), { minLength: 1 }) },
    { usage: junk, error: fc.constant(null) },
  ),
  near({ content: parts }, { usage: junk, stop_reason: text }),
  near(
    {
      candidates: fc.array(
        near({ content: near({ parts }), finishReason: fc.constantFrom("STOP", "SAFETY") }),
        { minLength: 1 },
      ),
    },
    { usageMetadata: junk },
  ),
  near({ output: near({ message: near({ content: parts }) }) }, { usage: junk, stopReason: text }),
  junk,
);

describe.each([...DIALECTS])("%s", (_, { chat }) => {
  test("encodes any request or refuses it", () => {
    check(
      fc.tuple(
        fc.oneof({ weight: 20, arbitrary: chatRequests }, junk.map(asObject)),
        fc.constantFrom(...MODELS),
      ),
      ([request, model]) => {
        const { body } = chat.encode(request, target({ model }));
        expect(() => JSON.parse(String(body))).not.toThrow();
      },
    );
  });

  test("decodes any answer or refuses it", () => {
    check(answers, (answer) => {
      const { body } = chat.decode(answer, target());
      expect(body).toMatchObject({ object: "chat.completion", choices: expect.any(Array) });
    });
  });
});

describe.each([...CLIENT_DIALECTS])("clients of %s", (name, client) => {
  const requests = name === "messages" ? messagesRequests : responsesRequests;

  test("may ask anything of any provider, or are refused", () => {
    check(fc.tuple(requests, fc.constantFrom(...DIALECTS.values())), ([asked, { chat }]) => {
      chat.encode(client.decode(asked).request, target());
    });
  });

  test("get an answer from any chat completion", () => {
    check(
      fc.oneof(
        near({ choices: fc.array(near({ message: assistant, finish_reason: text })) }, { usage: junk }),
        junk,
      ),
      (given) => {
        expect(() => JSON.stringify(client.encode(asObject(given), CONTEXT))).not.toThrow();
      },
    );
  });
});

test("counting and cleaning Messages requests take anything", () => {
  check(fc.oneof(messagesRequests, junk), (request) => {
    expect(countTokens(asObject(request))).toBeGreaterThanOrEqual(1);
    withoutUnsignedThinking(asObject(request));
  });
});
