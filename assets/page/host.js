// What all pages do: say where they are from, put that into commands, and copy.
const $ = (selector, from = document) => Array.from(from.querySelectorAll(selector));
const up = new URL(document.body.dataset.up || "./", location.href);
const onWeb = location.protocol === "http:" || location.protocol === "https:";
const isCid = (text) => /^(Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{50,110})$/.test(text);

const make = (name, text, from) => {
  const element = document.createElement(name);
  // Whatever a registry says stays text, and nothing in it hides.
  if (text !== undefined) element.textContent = String(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\ufffd");
  if (from) from.append(element);
  return element;
};

const said = make("p", "", document.body);
said.className = "said";
said.setAttribute("role", "status");

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers without it, and pages that did not come over TLS.
    const field = make("textarea", undefined, document.body);
    field.value = text;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
};

const button = (what, text) => {
  const element = make("button", "Copy");
  element.type = "button";
  element.className = "copy";
  element.setAttribute("aria-label", "Copy " + what);
  element.addEventListener("click", async () => {
    const done = await copy(text());
    element.textContent = done ? "Copied" : "Failed";
    said.textContent = (done ? "Copied " : "Could not copy ") + what;
    setTimeout(() => { element.textContent = "Copy"; said.textContent = ""; }, 2000);
  });
  return element;
};

// Buttons of what is in sight; what unfolds gets its own then.
const buttons = (inside) => {
  for (const element of $("[data-copy]:not(.ready)", inside)) {
    const folded = element.closest("details:not([open])");
    if (folded || element.closest("[hidden]")) continue;
    element.classList.add("ready");
    const made = button(element.dataset.copy, () => element.textContent.trim());
    element.after(made);
  }
};
document.addEventListener("toggle", (event) => { if (event.target.open) buttons(event.target); }, true);

const rootOf = (answer) => {
  const named = location.pathname.match(/^\/ipfs\/([^/]+)/) || location.hostname.match(/^([^.]+)\.ipfs\./);
  const header = (answer.headers.get("x-ipfs-roots") || "").split(",")[0].trim();
  return [named ? named[1] : "", header].find(isCid);
};

// What this host is: a registry server, a gateway, or a path of one.
const look = async () => {
  let kind = "path";
  try {
    const answer = await fetch(new URL("v2/", up));
    const isRegistry = answer.headers.has("docker-distribution-api-version")
      || (answer.headers.get("content-type") || "").startsWith("application/json");
    if (up.pathname === "/") kind = isRegistry ? "registry" : "gateway";
    const root = rootOf(answer) || ($(".root").length && rootOf(await fetch(up, { method: "HEAD" })));
    for (const place of root ? $(".root") : []) {
      place.querySelector("code").textContent = root;
      place.hidden = false;
    }
  } catch {
    kind = "away";
  }
  document.body.classList.add(kind);
  const isHost = kind === "registry" || kind === "gateway";
  const host = isHost ? location.host : document.body.dataset.name;
  if (host) {
    for (const place of $("[data-host]")) place.textContent = host;
    document.body.classList.add("known");
  }
  if (isHost && location.protocol === "http:") {
    for (const place of $("[data-plain]")) place.textContent = place.dataset.plain;
    document.body.classList.add("plain");
  }
  buttons(document);
};
if (onWeb) look(); else buttons(document);
