// Routing by URL fragment: #/MODEL/TAB/UUID, for example #/digits/train/UUID.

export const TABS = ["predict", "train", "model"];

/** Return `{model, tab, uuid}` from the URL. Missing parts are empty strings; the default tab is "predict". */
export function getRoute() {
  const [model = "", tab = "", uuid = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  return { model, tab: TABS.includes(tab) ? tab : "predict", uuid };
}

/** Return the link to a model's tab, or to a training. */
export function buildLink(model, tab, uuid = "") {
  return `#/${[model, tab, uuid].filter(Boolean).map(encodeURIComponent).join("/")}`;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
