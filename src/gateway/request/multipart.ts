// Reads a form (multipart/form-data, RFC 7578) as it comes, for the one field that routing needs and the few that costs depend on.
// Nothing else is kept but what lies across two pieces; files flow past.
//
//   --boundary⏎ head ⏎⏎ value ⏎--boundary⏎ head ⏎⏎ value ⏎--boundary--
//                        ^ where the model's name stands, in bytes from the beginning
//
// It reads strictly: a form that another parser could read differently (names in other notations, encoded values, a
// second `model`, text before the first boundary) is refused, because the provider would see another request than
// the one that was routed, allowed and counted.
import { GatewayError } from "../../errors.ts";
import type { Span } from "./request.ts";

const HEAD_BYTES_MAX = 8 * 1024;
/** Longest value of the model's field, before it is judged as a name. */
const MODEL_BYTES_MAX = 1024;
/** The fields besides that say what is made, and so what it costs. Longer values mean nothing. */
const COST_FIELDS = new Set(["n", "size", "quality"]);
const COST_FIELD_BYTES_MAX = 32;
/** How many parts a form may have; the largest has one per image and one per option. */
const PARTS_MAX = 1000;

const DASHES = Buffer.from("--");
const LINE = Buffer.from("\r\n");
const BLANK_LINE = Buffer.from("\r\n\r\n");

const DISPOSITION = /^form-data((?:; *[a-z]+\*?=(?:"(?:[^"\\]|\\.)*"|[^\s";]+))*) *;? *$/i;
const PARAMETER = /; *([a-z]+\*?)=(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))/gi;
const HEADER = /^([!#$%&'*+.^_`|~0-9a-z-]+):(.*)$/i;
/** Values that are not what they look like. */
const PLAIN_ENCODINGS = /^(?:7bit|8bit|binary)$/i;

/** What the boundary is, from the form's content type. Throws `unsupported_media_type` or `invalid_request`. */
export function boundaryOf(contentType: string | undefined): string {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "multipart/form-data") {
    const message = "The body must be a form: send it with `content-type: multipart/form-data`.";
    throw new GatewayError("unsupported_media_type", message);
  }
  const found = [...(contentType ?? "").matchAll(/;\s*boundary=(?:"([^"]*)"|([^\s";,]*))/gi)];
  const boundary = found[0]?.[1] ?? found[0]?.[2] ?? "";
  // RFC 2046, section 5.1.1.
  if (found.length === 1 && /^[0-9a-z'()+_,\-./:=? ]{0,69}[0-9a-z'()+_,\-./:=?]$/i.test(boundary))
    return boundary;
  throw malformed("its content type names no boundary, or more than one");
}

/** The model's name and where it stands. */
export interface NamedModel {
  readonly name: string;
  readonly span: Span;
}

type State = "start" | "boundary" | "head" | "value" | "end";

export class MultipartReader {
  /** Null until its field was read. */
  model: NamedModel | null = null;
  /** The fields that costs depend on, as far as they have come. */
  readonly fields = new Map<string, string>();
  readonly #delimiter: Buffer;
  #state: State = "start";
  /** What has come and is not read yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** Where `#rest` begins, in bytes from the form's beginning. */
  #at = 0;
  #parts = 0;
  /** The field whose value is read and kept; empty: the part's value is not. */
  #kept = "";
  /** Where that value begins. */
  #keptAt = 0;
  #keptBytes: Buffer = Buffer.alloc(0);

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
  }

  /** Whether the last boundary has been read. */
  get isWhole(): boolean {
    return this.#state === "end";
  }

  /** Takes the next bytes. Throws `invalid_request` for what is no form, or an ambiguous one. */
  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#step());
  }

  /** One step; `false`: more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case "start":
        return this.#readStart();
      case "boundary":
        return this.#readBoundary();
      case "head":
        return this.#readHead();
      case "value":
        return this.#readValue();
      case "end":
        // What follows means nothing to anyone.
        this.#skip(this.#rest.length);
        return false;
    }
  }

  /** The first boundary has no line break before it. */
  #readStart(): boolean {
    const first = this.#delimiter.subarray(LINE.length);
    if (this.#rest.length < first.length) {
      if (!first.subarray(0, this.#rest.length).equals(this.#rest))
        throw malformed("it does not begin with its boundary");
      return false;
    }
    if (!this.#rest.subarray(0, first.length).equals(first))
      throw malformed("it does not begin with its boundary");
    this.#skip(first.length);
    this.#state = "boundary";
    return true;
  }

  #readBoundary(): boolean {
    if (this.#rest.length < LINE.length) return false;
    const next = this.#rest.subarray(0, LINE.length);
    this.#skip(LINE.length);
    if (next.equals(DASHES)) this.#state = "end";
    else if (!next.equals(LINE))
      throw malformed("a boundary is followed by something else than a line's end");
    else {
      this.#state = "head";
      if (++this.#parts > PARTS_MAX) throw malformed(`it has more than ${PARTS_MAX} parts`);
    }
    return true;
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(BLANK_LINE);
    if ((end === -1 ? this.#rest.length : end) > HEAD_BYTES_MAX)
      throw malformed("the head of a part is too long");
    if (end === -1) return false;
    const name = fieldName(this.#rest.toString("latin1", 0, end));
    this.#skip(end + BLANK_LINE.length);
    this.#state = "value";
    if (name === "model" && this.model !== null)
      throw new GatewayError("invalid_request", "The form names its model twice.", { param: "model" });
    this.#kept = name === "model" || COST_FIELDS.has(name) ? name : "";
    this.#keptAt = this.#at;
    this.#keptBytes = Buffer.alloc(0);
    // An empty value's boundary begins with the line break that ends the head.
    this.#unread(LINE);
    return true;
  }

  #readValue(): boolean {
    const end = this.#rest.indexOf(this.#delimiter);
    // The end of a boundary may be missing, so as many bytes are looked at again.
    const readable = end === -1 ? this.#rest.length - this.#delimiter.length + 1 : end;
    if (readable > 0) {
      if (this.#kept !== "") this.#keep(this.#rest.subarray(0, readable));
      this.#skip(readable);
    }
    if (end === -1) return false;
    if (this.#kept !== "") this.#endKept();
    this.#skip(this.#delimiter.length);
    this.#state = "boundary";
    return true;
  }

  #keep(bytes: Buffer): void {
    if (this.#kept === "model") {
      this.#keptBytes = Buffer.concat([this.#keptBytes, bytes]);
      if (this.#keptBytes.length <= MODEL_BYTES_MAX + LINE.length) return;
      throw new GatewayError("invalid_request", "`model` is too long.", { param: "model" });
    }
    if (this.#keptBytes.length <= COST_FIELD_BYTES_MAX + LINE.length) {
      this.#keptBytes = Buffer.concat([
        this.#keptBytes,
        bytes.subarray(0, COST_FIELD_BYTES_MAX + LINE.length + 1),
      ]);
    }
  }

  #endKept(): void {
    const start = this.#keptAt;
    const value = this.#keptBytes.toString("utf8", LINE.length);
    const end = start + Math.max(0, this.#keptBytes.length - LINE.length);
    if (this.#kept === "model") this.model = { name: value, span: { start, end } };
    // A field that comes twice is read one way here and perhaps another there: it counts as the dearest.
    else this.fields.set(this.#kept, this.fields.has(this.#kept) ? "auto" : value);
    this.#kept = "";
  }

  #skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#at += bytes;
  }

  #unread(bytes: Buffer): void {
    this.#rest = Buffer.concat([bytes, this.#rest]);
    this.#at -= bytes.length;
  }
}

/** The field's name, from the head of a part. */
function fieldName(head: string): string {
  let disposition: string | null = null;
  for (const line of head.split("\r\n")) {
    const [, name = "", text = ""] = HEADER.exec(line) ?? [];
    const header = name.toLowerCase();
    const value = text.trim();
    if (header === "") throw malformed("the head of a part is no list of headers");
    if (header === "content-transfer-encoding" && !PLAIN_ENCODINGS.test(value)) {
      throw malformed("a part is encoded, which forms are not");
    }
    if (header !== "content-disposition") continue;
    if (disposition !== null) throw malformed("a part has two dispositions");
    disposition = value;
  }
  const parameters = DISPOSITION.exec(disposition ?? "")?.[1];
  if (parameters === undefined)
    throw malformed("a part lacks its `content-disposition: form-data` with a name");
  const names = [...parameters.matchAll(PARAMETER)];
  const named = names.filter(([, parameter]) => /^name\*?$/i.test(parameter ?? ""));
  const [, parameter, quoted, bare] = named[0] ?? [];
  const field = quoted ?? bare ?? "";
  if (named.length !== 1 || parameter?.endsWith("*") === true || field === "" || field.includes("\\")) {
    throw malformed("a part's name is missing, or written in a way that could be read differently");
  }
  return field;
}

function malformed(reason: string): GatewayError {
  return new GatewayError("invalid_request", `The form can't be read: ${reason}.`);
}
