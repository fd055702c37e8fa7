// Media types: what kind of thing each stands for, and which one some bytes are.

const STREAMS = ["ndjson", "jsonl", "event-stream"];
const TABLES = { "text/csv": ",", "text/tab-separated-values": "\t" };
const TABLE_NAMES = { csv: ",", tsv: "\t" };
const ENDINGS = {
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
const IN_PLACE = ["picture", "audio", "video", "pdf"];
const SHORTEST_BASE64 = 24;
const MEANT = {
  image: "image/png",
  picture: "image/png",
  audio: "audio/wav",
  video: "video/mp4",
  pdf: "application/pdf",
};

/** Return what a media type is shown as: picture, audio, video, pdf, table, json, stream (of JSON), text or other. */
export function kindOf(type) {
  const [family, name = ""] = type.split("/");
  if (family === "image") return "picture";
  if (family === "audio" || family === "video") return family;
  if (type in TABLES) return "table";
  if (type === "application/pdf") return "pdf";
  if (STREAMS.some((ending) => name.endsWith(ending))) return "stream";
  if (name === "json" || name.endsWith("+json")) return "json";
  return family === "text" || name.endsWith("xml") ? "text" : "other";
}

/** Say whether a browser's viewers can show a file of this media type. */
export function isShownInPlace(type) {
  return IN_PLACE.includes(kindOf(type));
}

/** Return a `Content-Type` without its parameters, in lower case. */
export function bare(contentType) {
  return (contentType ?? "application/octet-stream").split(";")[0].trim().toLowerCase();
}

/** Return what separates the cells of a table in a file, or nothing if it is none. */
export function separatorOf(file) {
  return TABLES[bare(file.type)] ?? TABLE_NAMES[file.name?.split(".").pop().toLowerCase()] ?? "";
}

/** Return the ending that a file of this media type has. */
export function endingOf(type) {
  return ENDINGS[type] ?? (/^[\w-]+$/.test(type.split("/")[1] ?? "") ? type.split("/")[1] : "bin");
}

/**
 * Return the file that a text holds in base64, or null if it holds none to be seen or heard. `description` is
 * what the model's schema says of the text; it decides where the bytes do not.
 */
export function fileInText(text, description = "") {
  const declared = text.match(DATA_URL);
  const encoded = declared ? text.slice(declared[0].length) : text.replace(/\s/g, "");
  if (encoded.length < SHORTEST_BASE64 || !BASE64.test(encoded)) return null;
  const bytes = atob(encoded);
  const type = typeOfBytes(bytes) ?? declared?.[1] ?? meantBy(description);
  if (!type || !isShownInPlace(type)) return null;
  return new Blob([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], { type });
}

function typeOfBytes(bytes) {
  const found = MAGIC.find(([magic]) => bytes.startsWith(magic));
  if (found) return found[1];
  if (bytes.startsWith("RIFF")) return RIFF[bytes.slice(8, 12)];
  return bytes.startsWith("ftyp", MP4_AT) ? "video/mp4" : undefined;
}

function meantBy(description) {
  const word = Object.keys(MEANT).find((each) => description.toLowerCase().includes(each));
  return MEANT[word];
}
