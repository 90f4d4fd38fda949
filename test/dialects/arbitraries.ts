// Requests of each client language that are nearly right: most members are as they should be, and now and then one is
// missing or is something else. So most get far into a dialect before anything is wrong with them.
import * as fc from "fast-check";

export const junk = fc.jsonValue({ maxDepth: 3 });

/** The value, or seldom anything at all. */
function mostly<T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 150, arbitrary: value }, { weight: 1, arbitrary: junk });
}

const optional = Symbol("optional");
type Members = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** An object with all of `members` and perhaps some of `others`. */
export function near(members: Members, others: Members = {}): fc.Arbitrary<Record<string, unknown>> {
  const present = Object.entries(members).map(([name, value]) => [name, mostly(value)] as const);
  const perhaps = Object.entries(others).map(
    ([name, value]) => [name, fc.option(mostly(value), { nil: optional, freq: 2 })] as const,
  );
  return fc
    .record(Object.fromEntries([...present, ...perhaps]))
    .map((object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== optional)));
}

export const text = fc.string();
const name = fc.stringMatching(/^[a-z_-]{1,12}$/);
const id = fc.oneof(
  name,
  fc.string({ minLength: 1 }),
  name.map((each) => `${each}__thought__c2ln`),
);
const dataUrl = fc.constantFrom(
  "data:image/png;base64,QUJD",
  "data:text/plain;base64,w6Q=",
  "data:application/pdf;base64,QUJD",
);
const url = fc.oneof(
  { weight: 5, arbitrary: dataUrl },
  fc.constantFrom("https://x/y.png", "s3://a/b.pdf", "data:,", "data:a,%zz", "x"),
);
const cached = { cache_control: fc.constant({ type: "ephemeral" }) };
const object = fc.dictionary(name, junk);
const schema = fc.oneof(
  object,
  near({ type: fc.constant("object"), properties: fc.dictionary(name, object) }),
);

export const parts = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: near({ type: fc.constant("text"), text }, cached) },
    near({ type: fc.constant("image_url"), image_url: fc.oneof(near({ url }), url) }, cached),
    near({ type: fc.constant("file"), file: near({}, { file_data: url, filename: text, file_id: name }) }),
    near({ type: fc.constantFrom("refusal"), refusal: text }),
  ),
  { maxLength: 3 },
);
const content = fc.oneof(text, parts);
const call = near({
  id,
  type: fc.constant("function"),
  function: near({
    name,
    arguments: fc.oneof(
      object.map((each) => JSON.stringify(each)),
      fc.constant(""),
    ),
  }),
});
const thinking = near({ type: fc.constant("thinking"), thinking: text }, { signature: name, data: name });
const google = near({ google: near({ thought_signature: name }) });
export const assistant = near(
  { role: fc.constant("assistant"), content: fc.oneof(content, fc.constant(null)) },
  {
    tool_calls: fc.array(call, { maxLength: 2 }),
    thinking_blocks: fc.array(thinking, { maxLength: 2 }),
    reasoning_content: text,
    extra_content: google,
  },
);
const message = fc.oneof(
  { weight: 3, arbitrary: near({ role: fc.constant("user"), content }, cached) },
  { weight: 2, arbitrary: assistant },
  near({ role: fc.constantFrom("system", "developer"), content }),
  near({ role: fc.constant("tool"), tool_call_id: id, name, content }),
);
const tools = fc.array(
  near(
    {
      type: fc.constant("function"),
      function: near({ name }, { description: text, parameters: schema, strict: fc.boolean() }),
    },
    cached,
  ),
  { maxLength: 2 },
);
const sampling = {
  temperature: fc.double({ min: 0, max: 2, noNaN: true }),
  top_p: fc.double({ min: 0, max: 1, noNaN: true }),
  stream: fc.boolean(),
};

export const chatRequests = near(
  { messages: fc.array(message, { minLength: 1, maxLength: 4 }) },
  {
    ...sampling,
    tools,
    tool_choice: fc.oneof(
      fc.constantFrom("auto", "none", "required"),
      near({ type: fc.constant("function"), function: near({ name }) }),
    ),
    parallel_tool_calls: fc.boolean(),
    max_tokens: fc.integer({ min: 1, max: 5000 }),
    stop: fc.oneof(text, fc.array(text)),
    reasoning_effort: fc.constantFrom("none", "minimal", "low", "max"),
    response_format: near({
      type: fc.constantFrom("json_schema", "json_object", "text"),
      json_schema: near({ schema }),
    }),
    seed: fc.nat(),
  },
);

const base64 = near({
  type: fc.constant("base64"),
  media_type: fc.constantFrom("image/png", "application/pdf"),
  data: fc.constant("QUJD"),
});
const blocks = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: near({ type: fc.constant("text"), text }, cached) },
    near({ type: fc.constantFrom("image", "document"), source: base64 }, cached),
    near({ type: fc.constant("tool_result"), tool_use_id: id, content: text }, { is_error: fc.boolean() }),
  ),
  { maxLength: 3 },
);
const said = fc.array(
  fc.oneof(
    near({ type: fc.constant("text"), text }),
    near({ type: fc.constant("tool_use"), id, name, input: object }),
    near({
      type: fc.constant("thinking"),
      thinking: text,
      signature: fc.constantFrom("s", "sluice-unsigned"),
    }),
    near({ type: fc.constant("redacted_thinking"), data: name }),
  ),
  { maxLength: 3 },
);
const turn = fc.oneof(
  near({ role: fc.constant("user"), content: fc.oneof(text, blocks) }),
  near({ role: fc.constant("assistant"), content: fc.oneof(text, said) }),
);

export const messagesRequests = near(
  {
    model: name,
    max_tokens: fc.integer({ min: 1, max: 5000 }),
    messages: fc.array(turn, { minLength: 1, maxLength: 4 }),
  },
  {
    ...sampling,
    system: fc.oneof(text, fc.array(near({ type: fc.constant("text"), text }, cached))),
    tools: fc.array(near({ name, input_schema: schema }, { description: text, ...cached }), { maxLength: 2 }),
    tool_choice: near({ type: fc.constantFrom("auto", "any", "none", "tool"), name }),
    thinking: near({ type: fc.constantFrom("enabled", "adaptive"), budget_tokens: fc.nat(30_000) }),
    output_config: near({}, { effort: fc.constantFrom("low", "max"), format: near({ schema }) }),
    stop_sequences: fc.array(text),
    metadata: near({ user_id: text }),
  },
);

const inputParts = fc.array(
  fc.oneof(
    near({ type: fc.constantFrom("input_text", "output_text"), text }),
    near({ type: fc.constant("input_image"), image_url: url }),
  ),
  { maxLength: 2 },
);
const item = fc.oneof(
  near({ role: fc.constantFrom("user", "developer", "assistant"), content: fc.oneof(text, inputParts) }),
  near({
    type: fc.constant("function_call"),
    call_id: id,
    name,
    arguments: object.map((each) => JSON.stringify(each)),
  }),
  near({ type: fc.constant("function_call_output"), call_id: id, output: fc.oneof(text, inputParts) }),
  near(
    { type: fc.constant("reasoning"), summary: fc.array(near({ text })) },
    { encrypted_content: fc.constantFrom("theirs", "sluice.W10=") },
  ),
);

export const responsesRequests = near(
  { model: name, input: fc.oneof(text, fc.array(item, { minLength: 1, maxLength: 4 })) },
  {
    ...sampling,
    instructions: text,
    tools: fc.array(
      near({ type: fc.constant("function"), name }, { parameters: schema, strict: fc.boolean() }),
      { maxLength: 2 },
    ),
    tool_choice: fc.oneof(
      fc.constantFrom("auto", "none", "required"),
      near({ type: fc.constant("function"), name }),
    ),
    reasoning: near({ effort: fc.constantFrom("low", "high") }),
    text: near({ format: near({ type: fc.constantFrom("json_schema", "text"), name, schema }) }),
    max_output_tokens: fc.integer({ min: 1, max: 5000 }),
    top_logprobs: fc.constant(0),
  },
);
