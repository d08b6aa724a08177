// What is chosen. The address of the page holds it, so that it can be kept and passed on.

/** The seed's own class. */
export const ANY = -1;
export const MOST_SEED = 2n ** 64n - 1n;

/** `moved`: latent values that a person has set, by index. `keyed`: on the model's own way, from keyframe `shown`. */
export const state = {
  model: "",
  panel: "",
  mode: "walk",
  seed: 1n,
  step: 0,
  kind: ANY,
  words: true,
  moved: new Map(),
  keyed: false,
  shown: 1n,
};

let writing; // timer of the address

/** Takes what an address says. */
export function readAddress(hash, list) {
  const given = new URLSearchParams(hash.slice(1));
  const pick = (key, allowed) => { if (allowed.includes(given.get(key))) state[key] = given.get(key); };
  pick("model", list.models.map(({ name }) => name));
  pick("panel", list.panels.map(({ name }) => name));
  pick("mode", ["one", "walk", "gallery"]);
  const number = (key) => (/^[0-9]+$/.test(given.get(key) ?? "") ? BigInt(given.get(key)) : null);
  const [seed, kind] = [number("seed"), number("class")];
  if (seed !== null) state.seed = seed > MOST_SEED ? MOST_SEED : seed;
  state.kind = kind === null ? ANY : Number(kind);
  state.words = given.get("words") !== "0";
}

/** Not at once: a slider that moves would write more often than browsers take it. */
export function writeAddress() {
  clearTimeout(writing);
  writing = setTimeout(writeNow, 300);
}

function writeNow() {
  const given = new URLSearchParams({ model: state.model, panel: state.panel, mode: state.mode, seed: state.seed });
  if (state.kind !== ANY) given.set("class", state.kind);
  if (!state.words) given.set("words", "0");
  if (!state.model) given.delete("model");
  history.replaceState(null, "", `#${given}`);
}
