// An answer that comes by and by, a line of JSON for each item.

/**
 * Yield what has come until now: `{blob, text, value}`, the value being the list of items. Where the body breaks off,
 * the last of them has a `problem` too.
 */
export async function* linesOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let problem;
  for (let isDone = false; !isDone;) {
    try {
      const { done, value } = await reader.read();
      isDone = done;
      text += decoder.decode(value, { stream: !done });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      isDone = true;
      problem = "";
    }
    const value = itemsIn(text);
    // The last line before a break says what was wrong.
    if (problem === "") problem = value.pop()?.message ?? "The answer broke off.";
    yield { blob: new Blob([text], { type: "application/x-ndjson" }), text, value, problem };
  }
}

function itemsIn(text) {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole.split("\n").filter(Boolean).map(JSON.parse);
}
