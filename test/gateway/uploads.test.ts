// Forms with files, from the client to a provider: routed by a field inside, flowing on without being kept, renamed on the
// way, and bounded whatever goes wrong.
import { describe, expect, test } from "vitest";
import { errorOf } from "../http/envelope.ts";
import { formUpstream, type FormRequest } from "./form-upstream.ts";
import { startGateway } from "./gateway-fixture.ts";

const TRANSCRIPTIONS = "/v1/audio/transcriptions";
const USAGE = { type: "tokens", input_tokens: 14, output_tokens: 5, total_tokens: 19 };
const MIB = 1024 * 1024;

const MODEL = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nany\r\n';
const FILE_HEAD = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';
const END = "\r\n--b--\r\n";

function head(bytes: number | null, path = TRANSCRIPTIONS): string {
  const framing = bytes === null ? "transfer-encoding: chunked" : `content-length: ${bytes}`;
  return `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n${framing}\r\n\r\n`;
}

function request(body: string | Buffer, path?: string): Buffer {
  return Buffer.concat([Buffer.from(head(Buffer.byteLength(body), path)), Buffer.from(body)]);
}

/** Reads all of it and answers. */
const transcribe = (form: FormRequest): void => {
  form.read();
  form.request.on("end", () => form.answer(200, { text: "hello", usage: USAGE }));
};

const renamed = (body: string | Buffer) => body.toString("latin1").replace("any\r\n", "m\r\n");

describe("a form", () => {
  test.each([
    ["its model before the file", `${MODEL}${FILE_HEAD}RIFF\u0000\u0001${END}`],
    [
      "its model behind the file",
      `${FILE_HEAD}RIFF\u0000${"x".repeat(300_000)}\r\n${MODEL.slice(0, -2)}${END}`,
    ],
  ])("with %s reaches the provider with its own name for the model", async (_, body) => {
    const upstream = await formUpstream(transcribe);
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.client().send(request(body)).answer();
    expect(answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "a" } });
    expect(JSON.parse(answer.body)).toMatchObject({ text: "hello" });
    const form = await upstream.request(0);
    const expected = renamed(body);
    expect((await form.whole()).toString("latin1")).toBe(expected);
    expect(form.request.url).toBe(TRANSCRIPTIONS);
    expect(form.request.headers).toMatchObject({
      "content-type": "multipart/form-data; boundary=b",
      "content-length": String(expected.length),
      authorization: "Bearer sk-a",
      accept: "*/*",
    });
    expect(await gateway.settled()).toMatchObject({ requests: 1, tokens: 19 });
    expect(gateway.records).toMatchObject([
      { route: TRANSCRIPTIONS, modelAsked: "any", model: "m", outcome: "ok", isUsageEstimated: false },
    ]);
  });

  test.each(["/v1/images/edits", "/v1/images/variations", "/v1/audio/translations"])(
    "goes to %s too, as official clients make it",
    async (path) => {
      const upstream = await formUpstream(transcribe);
      const gateway = await startGateway({ providers: { a: upstream } });
      const data = new FormData();
      data.append("image", new File([Buffer.alloc(70_000, 1)], "ä.png"));
      data.append("model", "any");
      const answer = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: "POST", body: data });
      expect(answer.status).toBe(200);
      await answer.text();
      const form = await upstream.request(0);
      expect(form.request.url).toBe(path);
      expect((await form.whole()).length).toBeGreaterThan(70_000);
      await gateway.settled();
    },
  );

  test("of unknown length goes on in chunks", async () => {
    const upstream = await formUpstream(transcribe);
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(head(null));
    for (const piece of [MODEL, FILE_HEAD, "RIFF", END]) {
      client.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    }
    expect((await client.send("0\r\n\r\n").answer()).status).toBe(200);
    const form = await upstream.request(0);
    expect(form.request.headers["transfer-encoding"]).toBe("chunked");
    expect((await form.whole()).toString()).toBe(renamed(`${MODEL}${FILE_HEAD}RIFF${END}`));
    await gateway.settled();
  });

  test("flows on before it is whole", async () => {
    const upstream = await formUpstream(transcribe);
    const gateway = await startGateway({ providers: { a: upstream } });
    const file = "x".repeat(100_000);
    const body = `${MODEL}${FILE_HEAD}${file}${END}`;
    const client = gateway.client().send(`${head(body.length)}${MODEL}${FILE_HEAD}${file.slice(0, 50_000)}`);
    const form = await upstream.request(0);
    await form.bytes(50_000);
    expect((await client.send(`${file.slice(50_000)}${END}`).answer()).status).toBe(200);
    await gateway.settled();
  });

  test("without a model asks for the alias `images`, and the provider gets a field for it", async () => {
    const upstream = await formUpstream(transcribe);
    const gateway = await startGateway({ providers: { a: upstream }, config: "  images: [ a/m ]" });
    const body = `${FILE_HEAD}PNG${END}`;
    const answer = await gateway.client().send(request(body, "/v1/images/variations")).answer();
    expect(answer.status).toBe(200);
    const sent = await (await upstream.request(0)).whole();
    expect(sent.toString()).toBe(`--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n${body}`);
    expect(errorOf(await gateway.client().send(request(body)).answer())).toMatchObject({ param: "model" });
    await gateway.settled();
  });

  test("can be answered by a stream of events", async () => {
    const done = `data: ${JSON.stringify({ type: "transcript.text.done", text: "hi", usage: USAGE })}\n\n`;
    const upstream = await formUpstream((form) => {
      form.read();
      form.request.on("end", () => {
        form.response.writeHead(200, { "content-type": "text/event-stream" });
        form.response.end(`data: {"type":"transcript.text.delta","delta":"hi"}\n\n${done}`);
      });
    });
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway
      .client()
      .send(request(`${MODEL}${FILE_HEAD}x${END}`))
      .answer();
    expect(answer.headers["content-type"]).toBe("text/event-stream");
    expect(answer.body).toMatch(/^data: .*delta.*\n\ndata: .*done.*\n\n$/);
    expect(await gateway.settled()).toMatchObject({ tokens: 19 });
    expect(gateway.records).toMatchObject([{ isStream: true }]);
  });

  test.each(["text/plain; charset=utf-8", "text/vtt"])("can be answered by %s", async (type) => {
    const upstream = await formUpstream((form) => {
      form.read();
      form.request.on("end", () => form.response.writeHead(200, { "content-type": type }).end("hello\n"));
    });
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway
      .client()
      .send(request(`${MODEL}${FILE_HEAD}x${END}`))
      .answer();
    expect(answer).toMatchObject({ status: 200, body: "hello\n", headers: { "content-type": type } });
    await gateway.settled();
  });
});

describe("another target", () => {
  const failFirst = (form: FormRequest): void => {
    form.read();
    form.request.on("end", () => form.answer(503, { error: { message: "busy" } }));
  };

  test("gets the whole form again while it is small", async () => {
    const [a, b] = [await formUpstream(failFirst), await formUpstream(transcribe)];
    const gateway = await startGateway({ providers: { a, b } });
    const body = `${MODEL}${FILE_HEAD}${"x".repeat(3 * MIB)}${END}`;
    const answer = await gateway.client().send(request(body)).answer();
    expect(answer).toMatchObject({
      status: 200,
      headers: { "x-sluice-provider": "b", "x-sluice-attempts": "2" },
    });
    expect((await (await b.request(0)).whole()).toString()).toBe(renamed(body));
    expect((await gateway.settled()).requests).toBe(2);
  });

  test("gets a large form only if the first one has not had any of it", async () => {
    const [a, b] = [await formUpstream(failFirst), await formUpstream(transcribe)];
    const gateway = await startGateway({ providers: { a, b } });
    const body = `${MODEL}${FILE_HEAD}${"x".repeat(9 * MIB)}${END}`;
    const answer = await gateway.client().send(request(body)).answer();
    expect(answer).toMatchObject({
      status: 503,
      headers: { "x-sluice-provider": "a", "x-sluice-attempts": "1" },
    });
    expect(b.requests).toHaveLength(0);
    await gateway.settled();
  });
});

describe("a form that goes wrong", () => {
  test.each([
    ["without a boundary", "multipart/form-data", "", 400],
    ["of another type", "application/json", "{}", 415],
    ["that does not begin with its boundary", "multipart/form-data; boundary=b", "hello", 400],
    ["that breaks off", "multipart/form-data; boundary=b", `${MODEL}${FILE_HEAD}x`, 400],
    ["without a model", "multipart/form-data; boundary=b", `${FILE_HEAD}x${END}`, 400],
    ["with two models", "multipart/form-data; boundary=b", `${MODEL}${MODEL.slice(0, -2)}${END}`, 400],
    ["of nothing", "multipart/form-data; boundary=b", "", 400],
  ])("%s is refused before anything is taken", async (_, type, body, status) => {
    const upstream = await formUpstream();
    const gateway = await startGateway({ providers: { a: upstream } });
    const bytes = `POST ${TRANSCRIPTIONS} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const answer = await gateway.client().send(bytes).answer();
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).toMatchObject({ type: "invalid_request_error" });
    const used = await gateway.settled();
    expect(used.tokens).toBe(0);
  });

  test("by a second model behind the file never reaches the provider whole", async () => {
    const upstream = await formUpstream((form) => void form.read());
    const gateway = await startGateway({ providers: { a: upstream } });
    const second = MODEL.replace("any", "a/other");
    const body = `${MODEL}${FILE_HEAD}${"x".repeat(100_000)}\r\n${second.slice(0, -2)}${END}`;
    const cut = body.length - 60;
    const client = gateway.client().send(`${head(body.length)}${body.slice(0, cut)}`);
    const form = await upstream.request(0);
    const answer = await client.send(body.slice(cut)).answer();
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param: "model" });
    await form.closed();
    await expect(form.whole()).rejects.toThrow();
    expect((await gateway.settled()).tokens).toBe(0);
  });

  test("because its client leaves half-way gives its tokens and its slot back", async () => {
    const upstream = await formUpstream((form) => void form.read());
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(`${head(100 * MIB)}${MODEL}${FILE_HEAD}${"x".repeat(100_000)}`);
    const form = await upstream.request(0);
    await form.bytes(50_000);
    client.close();
    await form.closed();
    expect(await gateway.settled()).toEqual({ requests: 1, tokens: 0, concurrent: 0 });
    expect(gateway.records).toMatchObject([{ outcome: "client_gone" }]);
  });

  test("at a provider that takes none of it keeps the client waiting instead of memory", async () => {
    // It reads nothing at all.
    const upstream = await formUpstream(() => undefined);
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(`${head(64 * MIB)}${MODEL}${FILE_HEAD}`);
    await upstream.request(0);
    client.socket.write(Buffer.alloc(60 * MIB, 1));
    // Every buffer on the way is full when nothing has moved for many turns of the loop.
    for (let [left, idle] = [0, 0]; idle < 500; idle++) {
      if (client.socket.writableLength !== left) [left, idle] = [client.socket.writableLength, 0];
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(client.socket.writableLength).toBeGreaterThan(40 * MIB);
    gateway.advance(1);
    gateway.advance(121_000);
    expect(await client.answer()).toMatchObject({
      status: 504,
      headers: { "x-sluice-error": "provider_timeout" },
    });
    expect(await gateway.settled()).toEqual({ requests: 1, tokens: 0, concurrent: 0 });
  });

  test("is answered at once where the provider refuses it before it is whole", async () => {
    const upstream = await formUpstream((form) => form.answer(413, { error: { message: "too large" } }));
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(`${head(50 * MIB)}${MODEL}${FILE_HEAD}${"x".repeat(100_000)}`);
    const answer = await client.answer();
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    client.close();
    expect(await gateway.settled()).toMatchObject({ tokens: 0, concurrent: 0 });
  });
});

test.each([TRANSCRIPTIONS, "/providers/a/files"])(
  "a form to %s of a provider whose requests are signed is refused, and nothing is sent",
  async (path) => {
    const upstream = await formUpstream(transcribe);
    const credentials = "{ access_key_id: AKIDEXAMPLE, secret_access_key: not-a-secret }";
    const gateway = await startGateway({
      providers: { a: upstream },
      provider: `auth: { kind: sigv4, service: example }, options: { region: r }, credentials: ${credentials}`,
      keys: null,
    });
    const body = `${MODEL}${FILE_HEAD}RIFF${END}`;
    const answer = await gateway.client().send(request(body, path)).answer();
    expect(answer.status).toBe(415);
    expect(errorOf(answer).message).toContain("are signed");
    expect(upstream.requests).toEqual([]);
    expect(await gateway.settled()).toMatchObject({ requests: 0 });
  },
);
