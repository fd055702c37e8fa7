// Renders untrusted Markdown, restricted to a few safe elements.

import DOMPurify from "../../vendor/dompurify/dist/purify.es.mjs";
import { Marked } from "../../vendor/marked/lib/marked.esm.js";

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
const HEADING_OFFSET = 2;
const MAX_HEADING_LEVEL = 6;

const parser = new Marked({
  // Show HTML within Markdown as text.
  tokenizer: { html: () => undefined, tag: () => undefined },
  // Place headings below those of the page.
  walkTokens(token) {
    if (token.type === "heading") token.depth = Math.min(token.depth + HEADING_OFFSET, MAX_HEADING_LEVEL);
  },
});

/** Return the text as a sanitized fragment, without images, which would be fetched from other servers. */
export function renderMarkdown(text) {
  const fragment = DOMPurify.sanitize(parser.parse(text), {
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
