// What is chosen. The address of the page holds it, so that it can be kept and passed on.

import { facts, program } from "./program.js";

/** The seed's own class. */
export const ANY = -1;
export const MOST_SEED = 2n ** 64n - 1n;
/** What stands in the address before the name of what a word is about. */
const WORD = "word.";

export const MODES = ["one", "walk", "gallery", "mix", "middle", "noise", "drums"];
/** Steps from seed to seed, and from style to style. */
export const STEPS = 64;

/**
 * `kind`: the class that is asked for. `said`: the words, by the names of what they are about. `drawn`: the class that
 * comes of either, ANY where each seed has its own. `style`: seed of a second style, "middle" for that of the middle of
 * all, or null; the layers from `first` on, null for the finer half, follow it `share` of 64 steps. `noise`: its seed,
 * "off", or null for that of the image. `ofShow`: whether it was the show that chose these. `picture`: number of the
 * model's own that it reads, or null. `moved`: latent values that a person has set, by index. `keyed`: on the model's
 * own way, from keyframe `shown`.
 */
export const state = {
  model: "",
  panel: "",
  mode: "walk",
  seed: 1n,
  step: 0,
  kind: ANY,
  said: new Map(),
  drawn: ANY,
  style: null,
  first: null,
  share: STEPS,
  noise: null,
  ofShow: false,
  picture: 0,
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
  pick("mode", MODES);
  const number = (key) => (given.has(key) ? seedOf(given.get(key)) : null);
  const [seed, kind, first, share, picture] = ["seed", "class", "from", "share", "picture"].map(number);
  if (seed !== null) state.seed = seed;
  state.kind = kind === null ? ANY : Number(kind);
  const said = [...given].filter(([key]) => key.startsWith(WORD));
  state.said = new Map(said.map(([key, word]) => [key.slice(WORD.length), word]));
  state.style = given.get("style") === "middle" ? "middle" : number("style");
  state.share = share === null ? STEPS : Math.min(Number(share), STEPS);
  state.ofShow = false;
  state.first = first === null ? null : Number(first);
  state.noise = given.get("noise") === "off" ? "off" : number("noise");
  state.picture = picture === null ? 0 : Number(picture);
  state.words = given.get("words") !== "0";
}

/** The seed that a text says, the largest for what is larger; null where it is none. */
export function seedOf(text) {
  const digits = text.replace(/[\s_]/g, "");
  if (!/^[0-9]+$/.test(digits)) return null;
  const seed = BigInt(digits);
  return seed > MOST_SEED ? MOST_SEED : seed;
}

/** Finds the class that is asked for of the seed: of words that are not chosen it has its own. */
export function settleClass() {
  state.drawn = state.kind;
  if (facts.parts.length === 0) return;
  const values = facts.parts.map(({ name, words }) => words.indexOf(state.said.get(name)));
  const own = wordsOf(program.own_class(state.seed));
  const digit = ({ stride }, index) => stride * (values[index] < 0 ? own[index] : values[index]);
  const isAsked = values.some((value) => value >= 0);
  state.drawn = isAsked ? facts.parts.map(digit).reduce((sum, part) => sum + part) : ANY;
}

/** The value of each input of a combination. */
function wordsOf(number) {
  return facts.parts.map(({ stride, count }) => Math.floor(number / stride) % count);
}

/** What a class is called; nothing for ANY. */
export function className(number) {
  if (number === ANY) return "";
  if (facts.parts.length === 0) return facts.names[number] || `class ${number}`;
  const words = wordsOf(number).map((value, index) => facts.parts[index].words[value]);
  return words.filter((word) => word !== "none").join(", ");
}

/** Asks for no class, and no words. */
export function forgetClass() {
  [state.kind, state.drawn] = [ANY, ANY];
  state.said.clear();
}

/** The first of the layers that follow a second style; null where none do. */
export function mixture() {
  if (facts.styles === 0 || state.style === null) return null;
  return Math.min(state.first ?? middle(), facts.styles - 1);
}

/** Every layer has its own style, and noise is the image's. */
export function forgetStyle() {
  const first = state.ofShow ? null : state.first;
  Object.assign(state, { style: null, first, noise: null, share: STEPS, ofShow: false });
}

/** The first of the finer half of the layers, with which the board's mixtures begin. */
export function middle() {
  return Math.ceil(facts.styles / 2);
}

/** Not at once: a slider that moves would write more often than browsers take it. */
export function writeAddress() {
  clearTimeout(writing);
  writing = setTimeout(writeNow, 300);
}

function writeNow() {
  const given = new URLSearchParams({ model: state.model, panel: state.panel, mode: state.mode, seed: state.seed });
  const { parts = [], styles, noise, pictures } = facts;
  for (const { name } of parts) if (state.said.has(name)) given.set(WORD + name, state.said.get(name));
  if (parts.length === 0 && state.kind !== ANY) given.set("class", state.kind);
  if (state.mode === "one") {
    if (styles > 0 && state.style !== null) {
      given.set("style", state.style);
      if (state.first !== null) given.set("from", state.first);
      if (state.share < STEPS) given.set("share", state.share);
    }
    if (noise && state.noise !== null) given.set("noise", state.noise);
    if (pictures > 0 && state.picture > 0) given.set("picture", state.picture);
  }
  if (!state.words) given.set("words", "0");
  if (!state.model) given.delete("model");
  history.replaceState(null, "", `#${given}`);
}
