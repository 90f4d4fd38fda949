// Chat content parts as Anthropic content blocks.
import type { Json } from "../json.ts";
import { unsupported } from "../shared/params.ts";
import { base64ToText, type Part, type Source } from "../shared/parts.ts";

/** Blocks that clients who know the target may send as they are. */
const NATIVE_BLOCKS = new Set(["image", "document", "search_result", "container_upload", "tool_reference"]);

/** `cache_control` travels on the part. */
export function cacheControl(raw: Json): Json {
  const { cache_control: control } = raw;
  return control === undefined || control === null ? {} : { cache_control: control };
}

/** One part as a block. Throws `unsupported_parameter` for what the language has no block for. */
export function contentBlock(part: Part, param: string): Json {
  switch (part.kind) {
    case "text":
      return { type: "text", text: part.text, ...cacheControl(part.raw) };
    case "image":
      return { type: "image", source: imageSource(part.source, param), ...cacheControl(part.raw) };
    case "file":
      return {
        type: "document",
        source: documentSource(part.source, param),
        ...(part.name === undefined ? {} : { title: part.name }),
        ...cacheControl(part.raw),
      };
    case "audio":
      throw unsupported(param, "the model's provider takes no audio");
    case "video":
      throw unsupported(param, "the model's provider takes no video");
    case "native":
      if (NATIVE_BLOCKS.has(part.type)) return part.raw;
      throw unsupported(param, `content of type ${part.type} has no counterpart`);
  }
}

function imageSource(source: Source, param: string): Json {
  switch (source.kind) {
    case "data":
      if (!source.mediaType.startsWith("image/")) throw unsupported(param, `${source.mediaType} is no image`);
      return { type: "base64", media_type: source.mediaType, data: source.data };
    case "url":
      return { type: "url", url: source.url };
    case "file":
      return { type: "file", file_id: source.id };
  }
}

function documentSource(source: Source, param: string): Json {
  switch (source.kind) {
    case "data":
      if (source.mediaType === "application/pdf") {
        return { type: "base64", media_type: source.mediaType, data: source.data };
      }
      if (source.mediaType.startsWith("text/") || source.mediaType === "application/json") {
        return { type: "text", media_type: "text/plain", data: base64ToText(source.data, param) };
      }
      throw unsupported(param, `documents of type ${source.mediaType} are not taken`);
    case "url":
      return { type: "url", url: source.url };
    case "file":
      return { type: "file", file_id: source.id };
  }
}
