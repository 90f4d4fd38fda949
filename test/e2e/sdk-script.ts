// A user's program that knows nothing of the gateway: everything comes from its environment.
import type * as Sdk from "openai";

const { default: OpenAI }: typeof Sdk = await import(process.argv[2] ?? "openai");

const client = new OpenAI();
const request = { model: "smart", messages: [{ role: "user" as const, content: "Tell me about rivers." }] };
const whole = await client.chat.completions.create(request);
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
  streamed += chunk.choices[0]?.delta.content ?? "";
}
console.log(JSON.stringify({ whole: whole.choices[0]?.message.content, streamed }));
