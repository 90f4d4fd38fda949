// Forms as clients upload them (RFC 7578), read into fields. Files are kept as their name and bytes. The simulator reads whole
// bodies, so this is a split and no more.
import { GatewayError } from "../errors.ts";
import type { JsonObject } from "./json.ts";

export interface FormFile {
  readonly name: string;
  readonly bytes: Buffer;
}

const PART = /^\r\n([\s\S]*?)\r\n\r\n([\s\S]*)\r\n$/;
const NAME = /;\s*name="([^"]*)"/i;
const FILE_NAME = /;\s*filename="([^"]*)"/i;

/** The boundary that a content type names; null: it is no form. */
export function boundaryOf(contentType: string | undefined): string | null {
  const match = /^multipart\/form-data\s*;.*\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? "");
  return match === null ? null : (match[1] ?? match[2] ?? null);
}

/** Fields by name, texts and `FormFile`s; a name that ends in `[]` or comes again holds a list. Throws `invalid_request`. */
export function parseForm(body: Buffer, boundary: string): JsonObject {
  // Latin-1 keeps every byte apart, so the text can be cut like the bytes.
  const [first, ...parts] = `\r\n${body.toString("latin1")}`.split(`\r\n--${boundary}`);
  const last = parts.pop();
  if (first !== "" || last === undefined || !last.startsWith("--")) {
    throw new GatewayError("invalid_request", "The form does not end as it should.");
  }
  const fields = new Map<string, unknown>();
  for (const part of parts) addPart(fields, part);
  return Object.fromEntries(fields);
}

function addPart(fields: Map<string, unknown>, part: string): void {
  const [, head = "", value = ""] = PART.exec(`${part}\r\n`) ?? [];
  const name = NAME.exec(head)?.[1];
  if (name === undefined) throw new GatewayError("invalid_request", "A part of the form has no name.");
  const bytes = Buffer.from(value, "latin1");
  const fileName = FILE_NAME.exec(head)?.[1];
  const field = fileName === undefined ? bytes.toString("utf8") : { name: fileName, bytes };
  const plain = name.replace(/\[\]$/, "");
  const known = fields.get(plain);
  const isList = plain !== name || known !== undefined;
  fields.set(plain, isList ? [...listed(known), field] : field);
}

function listed(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

export function isFile(value: unknown): value is FormFile {
  return typeof value === "object" && value !== null && "bytes" in value && Buffer.isBuffer(value.bytes);
}

/** The files of a field. Throws `invalid_request` when there is none. */
export function filesAt(body: JsonObject, name: string): readonly FormFile[] {
  const files = listed(body[name]).filter(isFile);
  if (files.length > 0) return files;
  throw new GatewayError("invalid_request", `\`${name}\` must be a file.`, { param: name });
}
