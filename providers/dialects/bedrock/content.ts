// Chat content parts as Converse content blocks. Pictures and documents are sent as bytes or from S3, never by another
// address; each kind names its format in a word of its own.
import type { Json } from "../json.ts";
import { unsupported } from "../shared/params.ts";
import type { Part, Source } from "../shared/parts.ts";

/** A block that ends what the provider may keep for the next request. */
export function cachePoint(raw: Json): readonly Json[] {
  const { cache_control: control } = raw;
  if (control === undefined || control === null) return [];
  const isLong = typeof control === "object" && "ttl" in control && control.ttl === "1h";
  return [{ cachePoint: { type: "default", ...(isLong ? { ttl: "1h" } : {}) } }];
}

const IMAGES: Readonly<Record<string, string>> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp",
};

const DOCUMENTS: Readonly<Record<string, string>> = {
  "application/pdf": "pdf",
  "text/csv": "csv",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "text/html": "html",
  "text/plain": "txt",
  "text/markdown": "md",
  "application/json": "txt",
};

const VIDEOS: Readonly<Record<string, string>> = {
  "video/mp4": "mp4",
  "video/quicktime": "mov",
  "video/webm": "webm",
  "video/x-matroska": "mkv",
  "video/x-flv": "flv",
  "video/mpeg": "mpeg",
  "video/3gpp": "three_gp",
};

/** One part as a block, perhaps followed by a cache point. Throws `unsupported_parameter` for what there is none for. */
export function converseBlocks(part: Part, param: string): readonly Json[] {
  return [converseBlock(part, param), ...cachePoint(part.raw)];
}

function converseBlock(part: Part, param: string): Json {
  switch (part.kind) {
    case "text":
      return { text: part.text };
    case "image":
      return {
        image: {
          format: formatOf(part.source, IMAGES, { param, fallback: "png" }),
          source: sourceOf(part.source, param),
        },
      };
    case "file":
      return {
        document: {
          format: formatOf(part.source, DOCUMENTS, { param, fallback: "pdf" }),
          name: documentName(part.name),
          source: sourceOf(part.source, param),
        },
      };
    case "audio":
      return { audio: { format: part.format, source: { bytes: part.data } } };
    case "video":
      return {
        video: {
          format: formatOf(part.source, VIDEOS, { param, fallback: "mp4" }),
          source: sourceOf(part.source, param),
        },
      };
    case "native":
      throw unsupported(param, `content of type ${part.type} has no counterpart`);
  }
}

interface FormatRules {
  readonly param: string;
  /** For addresses whose ending says nothing. */
  readonly fallback: string;
}

function formatOf(source: Source, formats: Readonly<Record<string, string>>, rules: FormatRules): string {
  if (source.kind === "data") {
    const format = Object.hasOwn(formats, source.mediaType) ? formats[source.mediaType] : undefined;
    if (format === undefined) throw unsupported(rules.param, `${source.mediaType} is not taken`);
    return format;
  }
  const address = source.kind === "url" ? source.url : source.id;
  const ending = /\.([a-z0-9]{2,4})$/i.exec(address.slice(-10))?.[1]?.toLowerCase();
  const known = Object.values(formats).find((format) => format === (ending === "jpg" ? "jpeg" : ending));
  return known ?? rules.fallback;
}

function sourceOf(source: Source, param: string): Json {
  if (source.kind === "data") return { bytes: source.data };
  if (source.kind === "url" && source.url.startsWith("s3://")) return { s3Location: { uri: source.url } };
  throw unsupported(param, "the model's provider takes data and s3:// addresses only");
}

/** Names may hold letters, digits, single spaces, hyphens, parentheses and brackets. */
function documentName(name: string | undefined): string {
  const safe = (name ?? "document").replaceAll(/[^\p{ASCII}]|[^\w\s()[\]-]|_/gu, "-").replaceAll(/\s+/g, " ");
  return safe.trim().slice(0, 200) || "document";
}
