import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalPath, canonicalRequest } from "../../../providers/dialects/bedrock/sigv4.ts";
import { SigV4Signer, type SigV4Credentials, type SigV4Crypto } from "../../../providers/dialects/index.ts";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedFile } from "../recordings.ts";

const crypto: SigV4Crypto = {
  sha256Hex: (data) => createHash("sha256").update(data).digest("hex"),
  hmac: (key, data) => createHmac("sha256", key).update(data).digest(),
};

describe("the canonical request", () => {
  test.each([
    ["/", "/"],
    ["/model/a/converse", "/model/a/converse"],
    ["/model/us.anthropic.claude-v1%3A0/converse", "/model/us.anthropic.claude-v1%253A0/converse"],
    [
      "/model/arn%3Aaws%3Abedrock%3A%3A1%3Aprofile%2Fx/converse",
      "/model/arn%253Aaws%253Abedrock%253A%253A1%253Aprofile%252Fx/converse",
    ],
    ["/a!b'(c)*", "/a%21b%27%28c%29%2A"],
  ])("escapes the path once more: %s", (path, expected) => {
    expect(canonicalPath(path)).toBe(expected);
  });

  test("sorts the query, folds space in headers and names those signed", () => {
    const request = {
      method: "post",
      url: "https://Host.test:8443/x?b=2&a=%2F&a=&c",
      headers: { "X-B": "  two   words ", "content-type": "t" },
      body: "",
    };
    const { text, signedHeaders } = canonicalRequest(request, { "x-a": "1" }, "HASH");
    expect(signedHeaders).toBe("content-type;host;x-a;x-b");
    expect(text).toBe(
      "POST\n/x\na=&a=%2F&b=2&c=\ncontent-type:t\nhost:host.test:8443\nx-a:1\nx-b:two words\n\ncontent-type;host;x-a;x-b\nHASH",
    );
  });
});

describe("a signature", () => {
  // The documentation's example credentials.
  const credentials: SigV4Credentials = {
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  };
  const request = { method: "POST", url: "https://example.amazonaws.com/", headers: {}, body: "" };
  const sign = (wallMs: number): Readonly<Record<string, string>> =>
    new SigV4Signer(credentials, { region: "us-east-1", service: "service" }, crypto).sign(request, wallMs);

  test("has the form that AWS reads", () => {
    expect(sign(Date.UTC(2015, 7, 30, 12, 36, 0))).toMatchObject({
      "x-amz-date": "20150830T123600Z",
      "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/service\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
      ),
    });
  });

  test("of the next day uses the next day's key", () => {
    const signer = new SigV4Signer(credentials, { region: "us-east-1", service: "service" }, crypto);
    const first = Date.UTC(2026, 10, 20, 23, 59, 59);
    expect(signer.sign(request, first)).toEqual(sign(first));
    expect(signer.sign(request, first + 1000)).toEqual(sign(first + 1000));
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`published vectors${NOTICE}`, () => {
  test("are met to the last digit", () => {
    const vector = JSON.parse(recordedFile("bedrock/sigv4-vectors.json") || "{}");
    const { request, expected } = vector;
    const headers = { "content-type": request.contentType };
    const signed = { method: request.method, url: request.url, headers, body: request.body };
    const signer = new SigV4Signer(
      vector.credentials,
      { region: vector.region, service: vector.service },
      crypto,
    );
    const added = signer.sign(signed, Date.parse(vector.signingDate));
    expect(added).toEqual({
      "x-amz-date": expected.date,
      "x-amz-content-sha256": expected.payloadHash,
      "x-amz-security-token": vector.credentials.sessionToken,
      authorization: expected.authorization,
    });
    const { authorization: _authorization, ...others } = added;
    expect(crypto.sha256Hex(canonicalRequest(signed, others, expected.payloadHash).text)).toBe(
      expected.canonicalRequestHash,
    );
  });
});
