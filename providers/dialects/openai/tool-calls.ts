// Tool-call deltas as compatible providers send them, put into the form official clients accumulate: our own index from
// 0 per choice, `id`, `type` and `name` once at the start, arguments as text. Seen in the wild: no index, no type, an
// index that starts at 1, one index for several calls, `name: ""` or the id again on every delta, arguments as objects.
import { isObject, readNumber, readObject, readText, without, type Json } from "../json.ts";
import { idWithSignature, signatureIn, THOUGHT_MARK } from "../shared/tools.ts";

interface OpenCall {
  readonly index: number;
  readonly id: string;
  name: string;
  /** A function's call without arguments so far. */
  isEmpty: boolean;
}

const IDENTITY = new Set(["id", "type", "index", "function"]);

/** The tool calls of one choice. */
export class ToolCallNormaliser {
  readonly #newId: (index: number) => string;
  readonly #byUpstreamIndex = new Map<number, OpenCall>();
  readonly #byId = new Map<string, OpenCall>();
  #count = 0;
  #last: OpenCall | undefined;

  constructor(newId: (index: number) => string) {
    this.#newId = newId;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether a call has no arguments yet. */
  hasEmpty(): boolean {
    for (const call of this.#byId.values()) if (call.isEmpty) return true;
    return false;
  }

  /** Deltas that give an empty object to the calls without arguments. */
  fillEmpty(): readonly Json[] {
    const empty = [...this.#byId.values()].filter((call) => call.isEmpty);
    for (const call of empty) call.isEmpty = false;
    return empty.map(({ index }) => ({ index, function: { arguments: "{}" } }));
  }

  /** One delta of the provider's; undefined for what is no tool call at all. */
  normalise(delta: unknown): Json | undefined {
    if (!isObject(delta)) return undefined;
    const known = this.#find(delta);
    return known === undefined ? this.#opened(delta) : continued(delta, known);
  }

  #find(delta: Json): OpenCall | undefined {
    const upstreamIndex = readNumber(delta, "index");
    const id = readText(delta, "id");
    const name = readText(readObject(delta, "function"), "name");
    if (upstreamIndex !== undefined) {
      const call = this.#byUpstreamIndex.get(upstreamIndex);
      // The same index with another id and a name is another call.
      const isAnother = call !== undefined && id !== undefined && id !== call.id && name !== undefined;
      return isAnother ? this.#byId.get(id) : call;
    }
    if (id !== undefined) {
      const call = this.#byId.get(id);
      return call ?? (name === undefined ? this.#last : undefined);
    }
    return name === undefined ? this.#last : undefined;
  }

  #opened(delta: Json): Json {
    const index = this.#count++;
    const id = readText(delta, "id") ?? this.#newId(index);
    const sent = signedId(id, delta);
    const tool = readObject(delta, "function");
    const text = argumentsText(tool?.["arguments"]);
    const isOther = tool === undefined && readText(delta, "type") !== undefined;
    const call: OpenCall = {
      index,
      id,
      name: readText(tool, "name") ?? "",
      isEmpty: !isOther && text === "",
    };
    const upstreamIndex = readNumber(delta, "index");
    if (upstreamIndex !== undefined) this.#byUpstreamIndex.set(upstreamIndex, call);
    this.#byId.set(id, call);
    this.#last = call;
    if (isOther) return { ...delta, index, id: sent };
    const opened = {
      index,
      id: sent,
      type: "function",
      function: { ...tool, name: call.name, arguments: text },
    };
    return { ...opened, ...without(delta, IDENTITY) };
  }
}

/** Clients send a call's id back, but not always what stands beside it. */
function signedId(id: string, call: Json): string {
  const signature = signatureIn(call);
  return signature === undefined || id.includes(THOUGHT_MARK) ? id : idWithSignature(id, signature);
}

function continued(delta: Json, call: OpenCall): Json {
  const rest = without(delta, IDENTITY);
  const tool = readObject(delta, "function");
  if (tool === undefined) return { index: call.index, ...rest };
  const name = readText(tool, "name");
  const isLateName = call.name === "" && name !== undefined;
  if (isLateName) call.name = name;
  const text = argumentsText(tool["arguments"]);
  if (text !== "") call.isEmpty = false;
  const named = isLateName ? { name } : {};
  return { index: call.index, function: { ...named, arguments: text }, ...rest };
}

/** Tool arguments as text, whatever they were sent as. */
export function argumentsText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/** The tool calls of a whole answer: ids, types and argument texts filled in. */
export function normaliseToolCalls(calls: readonly unknown[], newId: (index: number) => string): Json[] {
  return calls.filter(isObject).map((call, index) => wholeCall(call, newId(index)));
}

function wholeCall(call: Json, newId: string): Json {
  const id = signedId(readText(call, "id") ?? newId, call);
  const tool = readObject(call, "function");
  if (tool === undefined) return { ...call, id };
  const text = argumentsText(tool["arguments"]) || "{}";
  return { ...call, id, type: "function", function: { ...tool, arguments: text } };
}
