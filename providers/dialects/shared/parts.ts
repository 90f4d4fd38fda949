// The content of chat messages as one closed set of parts, so that each language maps parts and not the many ways in
// which clients write them. What is no known part is an error that names its place.
import { isObject, readObject, readString, readText, type Json } from "../json.ts";
import { invalid } from "./params.ts";
import { isThought } from "./thinking.ts";

/** Where a picture or document comes from. `data` is base64 without a prefix. */
export type Source =
  | { readonly kind: "data"; readonly mediaType: string; readonly data: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "file"; readonly id: string };

export type Part =
  | { readonly kind: "text"; readonly text: string; readonly raw: Json }
  | { readonly kind: "image"; readonly source: Source; readonly raw: Json }
  | { readonly kind: "file"; readonly source: Source; readonly name: string | undefined; readonly raw: Json }
  | { readonly kind: "audio"; readonly data: string; readonly format: string; readonly raw: Json }
  | { readonly kind: "video"; readonly source: Source; readonly raw: Json }
  /** A part of another language, for a target that speaks it. */
  | { readonly kind: "native"; readonly type: string; readonly raw: Json };

const NO_MEMBERS: Json = {};

/** The parts of a message's `content`; empty text and thoughts are left out. Throws a `GatewayError` that names the part. */
export function contentParts(content: unknown, param: string): readonly Part[] {
  if (content === undefined || content === null) return [];
  if (typeof content === "string")
    return content === "" ? [] : [{ kind: "text", text: content, raw: NO_MEMBERS }];
  if (!Array.isArray(content)) throw invalid(param, "must be a string or a list of parts");
  return content.flatMap((part, index) => {
    // Thoughts are read apart from what was said.
    if (isThought(part)) return [];
    const known = contentPart(part, `${param}[${index}]`);
    return known.kind === "text" && known.text === "" ? [] : [known];
  });
}

function contentPart(part: unknown, param: string): Part {
  if (typeof part === "string") return { kind: "text", text: part, raw: NO_MEMBERS };
  if (!isObject(part)) throw invalid(param, "must be an object");
  const type = readString(part, "type");
  switch (type) {
    case "text":
    case "input_text":
    case "output_text":
      return { kind: "text", text: textOf(part, "text", param), raw: part };
    case "refusal":
      return { kind: "text", text: textOf(part, "refusal", param), raw: part };
    case "image_url":
      return { kind: "image", source: imageSource(part, param), raw: part };
    case "video_url":
      return { kind: "video", source: urlSource(part, "video_url", param), raw: part };
    case "input_audio":
      return audioPart(part, param);
    case "file":
      return filePart(part, param);
    case undefined:
      throw invalid(`${param}.type`, "is missing");
    default:
      return { kind: "native", type, raw: part };
  }
}

function textOf(part: Json, key: string, param: string): string {
  const text = readString(part, key);
  if (text === undefined) throw invalid(`${param}.${key}`, "must be a string");
  return text;
}

/** `image_url: { url }`, and `image_url: "…"` as some clients write it. */
function imageSource(part: Json, param: string): Source {
  return urlSource(part, "image_url", param);
}

function urlSource(part: Json, key: string, param: string): Source {
  const url = readText(part, key) ?? readText(readObject(part, key), "url");
  if (url === undefined) throw invalid(`${param}.${key}.url`, "must be a string");
  return sourceFromUrl(url, `${param}.${key}.url`);
}

/** A URL as a source: `data:` is taken apart, `http(s):` stays. */
export function sourceFromUrl(url: string, param: string): Source {
  if (url.startsWith("data:")) return dataSource(url, param);
  if (/^(https?|gs|s3):\/\//i.test(url.slice(0, 16))) return { kind: "url", url };
  throw invalid(param, "must begin with http:, https: or data:");
}

/** `data:image/png;charset=utf-8;base64,…` (RFC 2397). The payload is not looked at: it may be many megabytes. */
function dataSource(url: string, param: string): Source {
  const comma = url.indexOf(",");
  if (comma === -1) throw invalid(param, "is a data: URL without a comma");
  const [mediaType = "", ...parameters] = url.slice("data:".length, comma).split(";");
  const isBase64 = parameters.some((parameter) => parameter.trim().toLowerCase() === "base64");
  const payload = url.slice(comma + 1);
  const data = isBase64 ? payload : textToBase64(percentDecoded(payload, param));
  if (data === "") throw invalid(param, "is a data: URL without data");
  return { kind: "data", mediaType: canonicalMediaType(mediaType), data };
}

function canonicalMediaType(mediaType: string): string {
  const lower = mediaType.trim().toLowerCase();
  if (lower === "") return "text/plain";
  return lower === "image/jpg" ? "image/jpeg" : lower;
}

function percentDecoded(text: string, param: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(param, "has a percent sign that begins no character");
  }
}

/** Text as base64 of its UTF-8 bytes. */
export function textToBase64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The text that base64 holds. Throws `invalid_request` when it is not base64. */
export function base64ToText(data: string, param: string): string {
  try {
    const binary = atob(data);
    return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
  } catch {
    throw invalid(param, "is not base64");
  }
}

function audioPart(part: Json, param: string): Part {
  const audio = readObject(part, "input_audio");
  const data = readText(audio, "data");
  const format = readText(audio, "format");
  if (data === undefined || format === undefined)
    throw invalid(`${param}.input_audio`, "needs data and format");
  return { kind: "audio", data, format, raw: part };
}

function filePart(part: Json, param: string): Part {
  const file = readObject(part, "file");
  const name = readText(file, "filename");
  const data = readText(file, "file_data");
  if (data !== undefined) {
    const isUrl = data.startsWith("data:") || /^https?:/i.test(data.slice(0, 6));
    const source = isUrl ? sourceFromUrl(data, `${param}.file.file_data`) : plainData(data, name);
    return { kind: "file", source, name, raw: part };
  }
  const url = readText(file, "file_url");
  if (url !== undefined)
    return { kind: "file", source: sourceFromUrl(url, `${param}.file.file_url`), name, raw: part };
  const id = readText(file, "file_id");
  if (id === undefined) throw invalid(`${param}.file`, "needs file_data, file_url or file_id");
  return { kind: "file", source: { kind: "file", id }, name, raw: part };
}

/** Base64 without a `data:` prefix: the file's name tells what it is. */
function plainData(data: string, name: string | undefined): Source {
  const isText = name !== undefined && /\.(txt|md|csv|json|html?)$/i.test(name);
  return { kind: "data", mediaType: isText ? "text/plain" : "application/pdf", data };
}
