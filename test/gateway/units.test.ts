// What is sold by the picture, the minute, the character or the search: set aside before the request is sent, and booked as the
// provider reports it, else as it was asked for. In micro-dollars of a limit in dollars.
import { describe, expect, test } from "vitest";
import { formUpstream } from "./form-upstream.ts";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";

const IMAGES =
  "images: [ { size: small, usd: 0.02 }, { size: large, quality: high, usd: 0.10 }, { size: large, quality: low, usd: 0.05 } ]";
const LIMITS = "[ { requests: 1000/min }, { tokens: 1_000_000/min }, { usd: 50/min }, { concurrent: 8 } ]";

function models(prices: string): string {
  return `{ m: { prices: { ${prices} } } }`;
}

/** Micro-dollars taken at most, and in the end. */
async function dollars(gateway: GatewayFixture): Promise<{ taken: number; used: number }> {
  await gateway.settled();
  let [taken, used] = [0, 0];
  for (const { name, labels, value } of gateway.solo.limiter.samples()) {
    if (labels["dimension"] !== "usd") continue;
    if (name.endsWith("taken_units_total")) [taken, used] = [value, used + value];
    if (name.endsWith("overrun_units_total")) used += value;
    if (name.endsWith("returned_units_total")) used -= value;
  }
  return { taken, used };
}

async function asked(prices: string, path: string, body: object, answer: object, status = 200) {
  const upstream = await scriptedUpstream((r) => r.answer(status, JSON.stringify(answer)));
  const gateway = await startGateway({ providers: { a: upstream }, models: models(prices), limits: LIMITS });
  const reply = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "any", ...body }),
  });
  const text = await reply.text();
  return { ...(await dollars(gateway)), status: reply.status, text, sent: upstream.requests };
}

const PICTURES = "/v1/images/generations";
const DONE = { created: 1, data: [] };

describe("a request that is sold by units", () => {
  test.each<[string, string, string, object, object, number, number]>([
    [
      "pictures of a size",
      IMAGES,
      PICTURES,
      { prompt: "", n: 3, size: "large", quality: "low" },
      DONE,
      150_000,
      150_000,
    ],
    ["pictures of no size", IMAGES, PICTURES, { prompt: "x" }, DONE, 20_000, 20_000],
    [
      "pictures left to the provider",
      IMAGES,
      PICTURES,
      { prompt: "x", size: "auto", quality: "auto" },
      DONE,
      100_000,
      100_000,
    ],
    [
      "pictures whose tokens are reported",
      `input: 0, output: 40, ${IMAGES}`,
      PICTURES,
      { prompt: "x", n: 2 },
      { ...DONE, usage: { input_tokens: 10, output_tokens: 500, total_tokens: 510 } },
      40_000,
      20_000,
    ],
    ["characters", "characters: 15", "/v1/audio/speech", { input: "x".repeat(2000) }, DONE, 30_000, 30_000],
    [
      "searches that are reported",
      "searches: 2",
      "/v1/rerank",
      { query: "q", documents: Array.from({ length: 250 }, () => "d") },
      { results: [], meta: { billed_units: { search_units: 2 } } },
      6000,
      4000,
    ],
    [
      "searches that are not",
      "searches: 2",
      "/v1/rerank",
      { query: "q", documents: ["x".repeat(1_000_000)] },
      { results: [] },
      22_000,
      22_000,
    ],
    [
      "ranking by tokens",
      "input: 0.05, output: 0",
      "/v1/rerank",
      { query: "q", documents: ["d"] },
      { results: [], usage: { total_tokens: 1000 } },
      1,
      50,
    ],
  ])("by %s", async (_, prices, path, body, answer, taken, used) => {
    expect(await asked(prices, path, body, answer)).toMatchObject({ status: 200, taken, used });
  });

  test.each<[string, string, string, object]>([
    ["pictures of a size without a price", IMAGES, PICTURES, { prompt: "x", size: "huge" }],
    ["pictures at a price for tokens alone", "input: 1, output: 2", PICTURES, { prompt: "x" }],
    ["speech at a price for tokens alone", "input: 1, output: 2", "/v1/audio/speech", { input: "x" }],
    ["chat at a price for pictures alone", IMAGES, "/v1/chat/completions", { messages: [] }],
  ])("is refused under a limit in dollars: %s", async (_, prices, path, body) => {
    const { status, text, taken, sent } = await asked(prices, path, body, DONE);
    expect({ status, taken, sent: sent.length }).toEqual({ status: 403, taken: 0, sent: 0 });
    expect(text).toContain("No price is known of what this asks of model `a/m`");
  });

  test("costs nothing when the provider refuses it", async () => {
    const refused = { error: { message: "no", code: "invalid_request" } };
    expect(await asked(`request: 0.01, ${IMAGES}`, PICTURES, { prompt: "x" }, refused, 400)).toMatchObject({
      status: 400,
      taken: 30_000,
      used: 0,
    });
  });
});

const FILE = `--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${"x".repeat(75_000)}\r\n`;

function field(name: string, value: string): string {
  return `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

async function sentForm(prices: string, path: string, form: string, answer: object) {
  const upstream = await formUpstream((each) => {
    each.read();
    each.request.on("end", () => each.answer(200, answer));
  });
  const gateway = await startGateway({ providers: { a: upstream }, models: models(prices), limits: LIMITS });
  const body = `${form}--b--\r\n`;
  const reply = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=b" },
    body,
  });
  await reply.text();
  return { ...(await dollars(gateway)), status: reply.status, bytes: body.length };
}

describe("a form that is sold by units", () => {
  const MODEL = field("model", "any");
  const TRANSCRIPTIONS = "/v1/audio/transcriptions";

  test.each<[string, object, number | null]>([
    ["that the provider reports", { text: "hi", usage: { type: "duration", seconds: 30 } }, 30],
    ["of a verbose answer", { task: "transcribe", duration: 12.5, text: 'says \\"duration": 999' }, 12.5],
    [
      "beside tokens that have no price",
      { text: "hi", usage: { prompt_audio_seconds: 20, prompt_tokens: 9 } },
      20,
    ],
    ["that it may have at most, where nothing is said", { text: "hi" }, null],
    [
      "that it may have, where what is said is impossible",
      { usage: { type: "duration", seconds: -4 } },
      null,
    ],
  ])("takes as many seconds as its bytes may be, and costs those %s", async (_, answer, seconds) => {
    const sent = await sentForm("minute: 0.6", TRANSCRIPTIONS, MODEL + FILE, answer);
    expect(sent.taken).toBe(Math.ceil((sent.bytes / 750 / 60) * 600_000));
    expect(sent.used).toBe(seconds === null ? sent.taken : Math.ceil((seconds / 60) * 600_000 - 1e-6));
  });

  test.each<[string, string, number, number]>([
    [
      "what its fields say",
      field("n", "2") + field("size", "large") + field("quality", "low") + MODEL + FILE,
      100_000,
      100_000,
    ],
    ["the dearest until its fields have come", MODEL + FILE + field("size", "small"), 1_000_000, 20_000],
    ["the dearest for a size that is not listed", MODEL + FILE + field("size", "9x9"), 1_000_000, 100_000],
    [
      "what is asked for, however much",
      field("n", "50") + field("size", "small") + MODEL + FILE,
      1_000_000,
      1_000_000,
    ],
    [
      "the most for a number that is none",
      field("n", "-2") + field("size", "small") + MODEL,
      200_000,
      200_000,
    ],
    ["the most for a field that comes twice", field("n", "1") + field("n", "2") + MODEL, 1_000_000, 200_000],
  ])("takes %s", async (_, form, taken, used) => {
    const sent = await sentForm(IMAGES, "/v1/images/edits", form, DONE);
    expect(sent).toMatchObject({ status: 200, used });
    // How much of a form has come when it is sent is the network's to say.
    expect([taken, used]).toContain(sent.taken);
  });
});
