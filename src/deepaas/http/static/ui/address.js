// Which model and which tab the page shows, kept behind the # of its address: #/digits/train/UUID.

export const TABS = ["predict", "train", "model"];

/** Return `{model, tab, uuid}` of the page's address; what it does not say is empty. */
export function currentAddress() {
  const [model = "", tab = "", uuid = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { model, tab: TABS.includes(tab) ? tab : "predict", uuid };
}

/** Return the link that leads to a model's tab, or to one of its trainings. */
export function linkTo(model, tab, uuid = "") {
  return `#/${[model, tab, uuid].filter(Boolean).map(encodeURIComponent).join("/")}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
