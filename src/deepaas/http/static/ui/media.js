// Media types: their display kind, file extension and detection from content.

const STREAMS = ["ndjson", "jsonl", "event-stream"];
const TABLES = { "text/csv": ",", "text/tab-separated-values": "\t" };
const TABLE_NAMES = { csv: ",", tsv: "\t" };
const EXTENSIONS = {
  "application/json": "json",
  "application/pdf": "pdf",
  "application/zip": "zip",
  "audio/mpeg": "mp3",
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "image/jpeg": "jpg",
  "image/svg+xml": "svg",
  "text/csv": "csv",
  "text/plain": "txt",
};
const MAGIC = [
  ["\x89PNG", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["GIF8", "image/gif"],
  ["%PDF-", "application/pdf"],
  ["OggS", "audio/ogg"],
  ["ID3", "audio/mpeg"],
  ["\xff\xfb", "audio/mpeg"],
  ["fLaC", "audio/flac"],
  ["\x1aE\xdf\xa3", "video/webm"],
];
const RIFF = { WAVE: "audio/wav", WEBP: "image/webp" };
const MP4_AT = 4;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+);base64,/;
const VIEWABLE = ["image", "audio", "video", "pdf"];
const MIN_BASE64_LENGTH = 24;
const TYPES_BY_KEYWORD = {
  image: "image/png",
  picture: "image/png",
  audio: "audio/wav",
  video: "video/mp4",
  pdf: "application/pdf",
};

/** Return the display kind: image, audio, video, pdf, table, json, stream (of JSON), text or other. */
export function getKind(type) {
  const [family, name = ""] = type.split("/");
  if (family === "image") return "image";
  if (family === "audio" || family === "video") return family;
  if (type in TABLES) return "table";
  if (type === "application/pdf") return "pdf";
  if (STREAMS.some((suffix) => name.endsWith(suffix))) return "stream";
  if (name === "json" || name.endsWith("+json")) return "json";
  return family === "text" || name.endsWith("xml") ? "text" : "other";
}

/** Check whether the browser can display this media type itself. */
export function isViewable(type) {
  return VIEWABLE.includes(getKind(type));
}

/** Return a `Content-Type` without its parameters, in lower case. */
export function parseMediaType(contentType) {
  return (contentType ?? "application/octet-stream").split(";")[0].trim().toLowerCase();
}

/** Return the separator of a CSV or TSV file, by media type or file name; an empty string for other files. */
export function getSeparator(file) {
  return TABLES[parseMediaType(file.type)] ?? TABLE_NAMES[file.name?.split(".").pop().toLowerCase()] ?? "";
}

/** Return the file extension for a media type, without a dot. */
export function getExtension(type) {
  return EXTENSIONS[type] ?? (/^[\w-]+$/.test(type.split("/")[1] ?? "") ? type.split("/")[1] : "bin");
}

/**
 * Return the image, audio, video or PDF that a text contains in base64, or null. The schema's `description` of
 * the text determines the media type if the bytes do not.
 */
export function decodeFile(text, description = "") {
  const declared = text.match(DATA_URL);
  const encoded = declared ? text.slice(declared[0].length) : text.replace(/\s/g, "");
  if (encoded.length < MIN_BASE64_LENGTH || !BASE64.test(encoded)) return null;
  const bytes = atob(encoded);
  const type = detectType(bytes) ?? declared?.[1] ?? guessType(description);
  if (!type || !isViewable(type)) return null;
  return new Blob([Uint8Array.from(bytes, (character) => character.charCodeAt(0))], { type });
}

function detectType(bytes) {
  const match = MAGIC.find(([magic]) => bytes.startsWith(magic));
  if (match) return match[1];
  if (bytes.startsWith("RIFF")) return RIFF[bytes.slice(8, 12)];
  return bytes.startsWith("ftyp", MP4_AT) ? "video/mp4" : undefined;
}

function guessType(description) {
  const keyword = Object.keys(TYPES_BY_KEYWORD).find((each) => description.toLowerCase().includes(each));
  return TYPES_BY_KEYWORD[keyword];
}
