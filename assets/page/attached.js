// Shows what signatures, SBOMs and attestations say. It checks that they are what was published, not who signed them.
const MAX_DOCUMENT_BYTES = 16 << 20;
const MAX_LAYERS_SHOWN = 8;
const MAX_PREVIEW_CHARACTERS = 2000;
const MAX_WRAPPINGS = 4;

const decoded = (base64) => {
  const text = atob(String(base64).replace(/-/g, "+").replace(/_/g, "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
};
const parsed = (text) => { try { return JSON.parse(text); } catch { return null; } };
const objects = (list) => Array.isArray(list) ? list.filter((item) => item && typeof item === "object") : [];

// Packages of SPDX 2 and of CycloneDX, each with its version.
const packages = (bom) => {
  if (bom.bomFormat === "CycloneDX") {
    const found = [];
    const todo = objects(bom.components);
    for (let part = todo.pop(); part; part = todo.pop()) {
      todo.push(...objects(part.components));
      if (part.type !== "file") found.push([part.group, part.name].filter(Boolean).join("/") + " " + (part.version || ""));
    }
    return found.sort();
  }
  const real = objects(bom.packages).filter((part) => !["CONTAINER", "FILE"].includes(part.primaryPackagePurpose));
  return real.map((part) => part.name + " " + (part.versionInfo === "NOASSERTION" ? "" : part.versionInfo || "")).sort();
};

const provenance = (list, said) => {
  const build = said.buildDefinition || {};
  const run = said.runDetails || {};
  line(list, "Builder", (said.builder || run.builder || {}).id);
  line(list, "Build type", said.buildType || build.buildType);
  line(list, "Source", ((said.invocation || {}).configSource || {}).uri);
  const inputs = objects(said.materials || build.resolvedDependencies).map((input) => input.uri);
  line(list, "Made from", inputs.filter(Boolean));
};

// True where something of it could be shown. An SBOM may stand in a statement, that in an envelope, and that in a bundle.
const showDocument = (list, said, wrappings) => {
  if (!said || typeof said !== "object" || wrappings < 0) return false;
  if (said.dsseEnvelope) return showDocument(list, said.dsseEnvelope, wrappings - 1);
  if (said.payloadType && said.payload) return showDocument(list, decoded(said.payload), wrappings - 1);
  if (said.predicateType) {
    line(list, "States", said.predicateType);
    line(list, "About", objects(said.subject).map((subject) => pairs(subject.digest).join(" ").replace("=", ":")));
    const predicate = said.predicate || {};
    if (!showDocument(list, predicate.Data || predicate, wrappings - 1)) provenance(list, predicate);
    return true;
  }
  if (said.bomFormat === "CycloneDX" || /^SPDX-2\./.test(said.spdxVersion)) {
    const found = packages(said);
    line(list, "Format", said.spdxVersion || "CycloneDX " + (said.specVersion || ""));
    line(list, "Packages", found.length ? [found.length + " in all:"].concat(found) : "none");
    return true;
  }
  if (said.critical) {
    line(list, "Signs", (said.critical.image || {})["docker-manifest-digest"]);
    line(list, "Named", (said.critical.identity || {})["docker-reference"]);
    line(list, "Says", pairs(said.optional || {}));
    return true;
  }
  if (said.messageSignature) {
    line(list, "Signs", (said.messageSignature.messageDigest || {}).digest);
    return true;
  }
  return false;
};

const showLayer = async (place, list, layer, blobs) => {
  const notes = layer.annotations || {};
  line(list, "Type", layer.mediaType);
  if (notes["dev.cosignproject.cosign/signature"]) {
    line(list, "Signed with", notes["dev.sigstore.cosign/certificate"] ? "a certificate" : "a key");
    const log = parsed(notes["dev.sigstore.cosign/bundle"] || "null");
    line(list, "Transparency log", ((log || {}).Payload || {}).logIndex);
  }
  if (/[+.](gzip|zstd)$|octet-stream/.test(layer.mediaType) || layer.size > MAX_DOCUMENT_BYTES) return;
  const text = new TextDecoder().decode(await read(blobs + layer.digest, layer.size, MAX_DOCUMENT_BYTES));
  if (showDocument(list, parsed(text), MAX_WRAPPINGS)) return;
  make("code", text.slice(0, MAX_PREVIEW_CHARACTERS), make("pre", undefined, place));
};

const attached = async (referrer) => {
  const link = referrer.querySelector("a.manifest");
  if (!link || referrer.dataset.shown || !onWeb) return;
  referrer.dataset.shown = "yes";
  // Hosts that are registries have manifests and blobs below v2 alone.
  if (document.body.classList.contains("registry")) link.href = link.href.replace("/oci/v2/", "/v2/");
  try {
    const manifest = JSON.parse(new TextDecoder().decode(await read(link.href, undefined, MAX_CONFIGURATION_BYTES)));
    const blobs = link.href.replace("/oci/v2/", "/v2/").replace(/manifests\/[^/]*$/, "blobs/");
    for (const layer of objects(manifest.layers).slice(0, MAX_LAYERS_SHOWN)) {
      if (!/^sha256:[0-9a-f]{64}$/.test(layer.digest)) continue;
      await showLayer(referrer, make("dl", undefined, referrer), layer, blobs);
    }
  } catch (error) {
    make("p", "Its content can’t be shown: " + error.message + ".", referrer).className = "note";
  }
};
document.addEventListener("toggle", (event) => {
  if (event.target.open && event.target.classList.contains("referrer")) attached(event.target);
}, true);
