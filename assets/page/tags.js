// Copies digests, opens what an address names, and shows what configurations say and who shares a layer.
const MAX_CONFIGURATION_BYTES = 4 << 20;
const MAX_SHOWN = 200;

for (const row of $("article.tag")) {
  const summary = row.querySelector("summary b").textContent;
  row.append(button("the digest of " + summary, () => row.dataset.digest));
}

const open = () => {
  let id;
  try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  const named = id && document.getElementById(id);
  if (named && named.tagName === "DETAILS") { named.open = true; named.scrollIntoView(); }
};
window.addEventListener("hashchange", open);
open();

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

// A file that its address names by its digest; its size where that is known.
const read = async (address, size, most) => {
  if (size > most) throw new Error("it is too large");
  const answer = await fetch(address);
  if (!answer.ok) throw new Error("the host answers " + answer.status);
  if (Number(answer.headers.get("content-length")) > most) throw new Error("it is too large");
  const bytes = await answer.arrayBuffer();
  if (size !== undefined && bytes.byteLength !== size) throw new Error("it has another size");
  // Only pages that came over TLS or from this machine can compute it.
  if (crypto.subtle && hex(await crypto.subtle.digest("SHA-256", bytes)) !== address.slice(-64)) {
    throw new Error("it has another digest");
  }
  return bytes;
};

const configuration = async (link) =>
  JSON.parse(new TextDecoder().decode(await read(link.href, Number(link.dataset.size), MAX_CONFIGURATION_BYTES)));

const line = (list, name, values) => {
  const lines = [].concat(values === undefined || values === null ? [] : values).filter((value) => value !== "");
  if (!lines.length) return;
  make("dt", name, list);
  const place = make("dd", undefined, list);
  for (const value of lines.slice(0, MAX_SHOWN)) make("code", value, make("div", undefined, place));
  if (lines.length > MAX_SHOWN) make("div", lines.length - MAX_SHOWN + " more", place);
};

const words = (value) => Array.isArray(value) ? JSON.stringify(value) : value;
const pairs = (map) => Object.entries(map || {}).map(([key, value]) => key + "=" + value);

const commands = (steps, place) => {
  const layers = place ? Array.from(place.children) : [];
  const real = steps.filter((step) => !step.empty_layer);
  // The commands belong to layers only where there are as many of them.
  if (!place || real.length !== Number(place.dataset.all)) return;
  real.slice(0, layers.length).forEach((step, at) => {
    if (step.created_by) make("code", step.created_by, layers[at]).className = "command";
  });
};

// Which other tags of this page have a layer, as "also in 1.30, 1.29".
const MAX_SHARERS = 4;
const sharers = () => {
  const found = new Map();
  for (const row of $("article.tag")) {
    const name = row.querySelector("summary b").textContent;
    for (const layer of $("ol.layers > li > code:first-of-type", row)) {
      if (!found.has(layer.textContent)) found.set(layer.textContent, new Set());
      found.get(layer.textContent).add(name);
    }
  }
  return found;
};
let shared;
const share = (platform) => {
  shared = shared || sharers();
  const own = platform.closest("article.tag").querySelector("summary b").textContent;
  for (const layer of $("ol.layers > li", platform)) {
    const names = Array.from(shared.get(layer.querySelector("code").textContent) || []).filter((name) => name !== own);
    if (!names.length) continue;
    const more = names.length > MAX_SHARERS ? " and " + (names.length - MAX_SHARERS) + " more" : "";
    make("span", "also in " + names.slice(0, MAX_SHARERS).join(", ") + more, layer).className = "same";
  }
};

const show = async (platform) => {
  const link = platform.querySelector("a.config");
  if (!link || platform.dataset.shown) return;
  platform.dataset.shown = "yes";
  share(platform);
  if (!onWeb) return;
  const list = platform.querySelector("dl");
  try {
    const image = await configuration(link);
    const settings = image.config || {};
    line(list, "Created", image.created);
    line(list, "Entrypoint", words(settings.Entrypoint));
    line(list, "Command", words(settings.Cmd));
    line(list, "User", settings.User);
    line(list, "Directory", settings.WorkingDir);
    line(list, "Ports", Object.keys(settings.ExposedPorts || {}));
    line(list, "Volumes", Object.keys(settings.Volumes || {}));
    line(list, "Environment", settings.Env);
    line(list, "Labels", pairs(settings.Labels));
    const steps = Array.isArray(image.history) ? image.history : [];
    commands(steps, platform.querySelector("ol.layers"));
    line(list, "Other steps", steps.filter((step) => step.empty_layer && step.created_by).map((step) => step.created_by));
  } catch (error) {
    make("p", "The configuration can’t be shown: " + error.message + ".", platform).className = "note";
  }
};
document.addEventListener("toggle", (event) => {
  if (event.target.open && event.target.classList.contains("platform")) show(event.target);
}, true);
