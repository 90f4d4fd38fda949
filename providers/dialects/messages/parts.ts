// Content blocks of Messages requests as parts of chat messages. Cache controls stay on the parts, for targets that have
// them.
import { isObject, readArray, readObject, readString, readText, type Json } from "../json.ts";
import { invalid, unsupported } from "../shared/params.ts";

/** The `system` member, or a system turn's content, as a chat message; none when it is empty. */
export function systemMessage(system: unknown, param: string): readonly Json[] {
  if (system === undefined || system === null) return [];
  const content = chatContent(system, param);
  return content.length === 0 ? [] : [{ role: "system", content }];
}

/** A block's cache control as a member to spread. */
function cached(block: Json): Json {
  const { cache_control: control } = block;
  return control === undefined || control === null ? {} : { cache_control: control };
}

/** Content as text when nothing more is needed, else as parts. Throws a `GatewayError` that names the block. */
export function chatContent(content: unknown, param: string): string | readonly Json[] {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(param, "must be a string or a list of blocks");
  const parts = content.flatMap((block, index) => chatParts(block, `${param}[${index}]`));
  const [only] = parts;
  const isPlain = parts.length === 1 && only !== undefined && Object.keys(only).length === 2;
  return isPlain ? (readString(only, "text") ?? parts) : parts;
}

/** One block as parts of a chat message. */
export function chatParts(block: unknown, param: string): readonly Json[] {
  if (!isObject(block)) throw invalid(param, "must be an object");
  const type = readString(block, "type") ?? "";
  switch (type) {
    case "text": {
      const text = readString(block, "text");
      if (text === undefined) throw invalid(`${param}.text`, "must be a string");
      return text === "" ? [] : [{ type: "text", text, ...cached(block) }];
    }
    case "image":
      return [{ type: "image_url", image_url: { url: imageUrl(block, param) }, ...cached(block) }];
    case "document":
      return documentParts(block, param);
    case "search_result":
      return [{ type: "text", text: searchResult(block), ...cached(block) }];
    case "tool_reference":
      return [{ type: "text", text: `Tool ${readString(block, "tool_name") ?? ""} is available.` }];
    default:
      throw unsupported(param, `content of type ${type} has no counterpart at this model's provider`);
  }
}

function imageUrl(block: Json, param: string): string {
  const source = readObject(block, "source");
  const url = readText(source, "url");
  if (url !== undefined) return url;
  const data = readText(source, "data");
  if (data === undefined) throw unsupported(`${param}.source`, "images are taken as base64 or by URL");
  return `data:${readString(source, "media_type") ?? "image/png"};base64,${data}`;
}

function documentParts(block: Json, param: string): readonly Json[] {
  const title = readText(block, "title");
  const context = readText(block, "context");
  const parts = sourceParts(block, param, title);
  // What the client says about a document stands before it.
  return context === undefined ? parts : [{ type: "text", text: context }, ...parts];
}

function sourceParts(block: Json, param: string, title: string | undefined): readonly Json[] {
  const source = readObject(block, "source");
  const named = title === undefined ? {} : { filename: title };
  switch (readString(source, "type") ?? "") {
    case "base64": {
      const data = `data:${readString(source, "media_type") ?? "application/pdf"};base64,${readString(source, "data") ?? ""}`;
      // Chat files want a name.
      return [
        { type: "file", file: { filename: title ?? "document.pdf", file_data: data }, ...cached(block) },
      ];
    }
    case "url":
      return [
        { type: "file", file: { ...named, file_url: readString(source, "url") ?? "" }, ...cached(block) },
      ];
    case "file":
      return [{ type: "file", file: { file_id: readString(source, "file_id") ?? "" }, ...cached(block) }];
    case "text":
      return [{ type: "text", text: titled(title, readString(source, "data") ?? ""), ...cached(block) }];
    case "content": {
      const content = source?.["content"];
      if (typeof content === "string")
        return [{ type: "text", text: titled(title, content), ...cached(block) }];
      return readArray(source, "content").flatMap((inner, index) =>
        chatParts(inner, `${param}.source.content[${index}]`),
      );
    }
    default:
      throw unsupported(`${param}.source`, "documents are taken as base64, text, content, or by URL");
  }
}

/** Whether content has documents or search results, at any depth, that the answer should cite. */
export function asksForCitations(content: unknown): boolean {
  if (!Array.isArray(content)) return false;
  return content.some(
    (block) =>
      readObject(block, "citations")?.["enabled"] === true ||
      (isObject(block) && block["type"] === "tool_result" && asksForCitations(block["content"])),
  );
}

function titled(title: string | undefined, text: string): string {
  return title === undefined ? text : `${title}\n\n${text}`;
}

function searchResult(block: Json): string {
  const texts = readArray(block, "content").map((part) => readString(part, "text") ?? "");
  return [readString(block, "title") ?? "", readString(block, "source") ?? "", ...texts].join("\n");
}
