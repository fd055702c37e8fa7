// Markdown by strangers as elements of the page: a few harmless ones, whatever the text holds.

import { Marked } from "../../vendor/marked/lib/marked.esm.js";
import DOMPurify from "../../vendor/dompurify/dist/purify.es.mjs";

const TAGS = [
  "a",
  "b",
  "blockquote",
  "br",
  "code",
  "del",
  "em",
  "h3",
  "h4",
  "h5",
  "h6",
  "hr",
  "li",
  "ol",
  "p",
  "pre",
  "strong",
  "table",
  "tbody",
  "td",
  "th",
  "thead",
  "tr",
  "ul",
];
const ABOVE = 2;
const LOWEST = 6;

const reader = new Marked({
  // HTML within Markdown is a text like any other.
  tokenizer: { html: () => undefined, tag: () => undefined },
  // The page's own headings stand above.
  walkTokens(token) {
    if (token.type === "heading") token.depth = Math.min(token.depth + ABOVE, LOWEST);
  },
});

/** Return a fragment with what the text says. Pictures are left out: they would be fetched from elsewhere. */
export function markdown(text) {
  const fragment = DOMPurify.sanitize(reader.parse(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "start"],
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  return fragment;
}
