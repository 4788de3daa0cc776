// Searches names: in the rows of this page, or in the lists that catalog.json names.
const box = document.querySelector(".search");
const input = document.getElementById("search");
const found = document.getElementById("found");
const results = document.getElementById("results");
const MAX_SHOWN = 100;
const isName = (text) => typeof text === "string" && /^[a-z0-9]+([._/-]+[a-z0-9]+)*$/.test(text);

const fetched = async (file) => {
  const answer = await fetch(new URL(file, up));
  if (!answer.ok) throw new Error(file);
  return answer.json();
};

let names = null;
let isWhole = false;
// All names, asked for once, six lists at a time.
const load = async () => {
  names = [];
  try {
    const files = (await fetched("catalog.json")).repositories.map((part) => part.file);
    const next = async () => {
      for (let file = files.shift(); file !== undefined; file = files.shift()) {
        if (!/^catalog\/_repositories-[0-9a-f]+\.json$/.test(file)) continue;
        names.push(...(await fetched(file)).repositories.filter(isName));
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(next));
    names.sort();
    isWhole = true;
    show();
  } catch {
    found.textContent = "The list of names could not be read.";
    names = null;
  }
};

const matcher = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? (name) => words.every((word) => name.includes(word)) : null;
};

const count = (number) => number === 0 ? "Nothing found" : number === 1 ? "1 repository" : number + " repositories";

const show = () => {
  const matches = matcher();
  if (!("all" in input.dataset)) {
    let number = 0;
    for (const row of $("tr[data-name]")) {
      row.hidden = Boolean(matches) && !matches(row.textContent.toLowerCase());
      if (!row.hidden) number += 1;
    }
    for (const group of $("table.repositories tbody")) group.hidden = !group.querySelector("tr[data-name]:not([hidden])");
    found.textContent = matches ? count(number) : "";
    return;
  }
  results.replaceChildren();
  document.body.classList.toggle("searching", Boolean(matches));
  if (!matches) { found.textContent = ""; return; }
  if (!names) { load(); }
  if (!isWhole) { found.textContent = "Reading the names…"; return; }
  const hits = names.filter(matches);
  found.textContent = count(hits.length) + (hits.length > MAX_SHOWN ? ", the first " + MAX_SHOWN + " shown" : "");
  for (const name of hits.slice(0, MAX_SHOWN)) {
    const link = make("a", name, make("li", undefined, results));
    link.href = new URL("repositories/" + name + "/_repository.html", up).href;
  }
};

if (onWeb || !("all" in input.dataset)) {
  box.hidden = false;
  input.addEventListener("input", show);
  if ("all" in input.dataset) input.addEventListener("focus", () => { if (!names) load(); }, { once: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); input.focus(); }
  });
}
