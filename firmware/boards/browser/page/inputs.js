// What a model reads beside a latent vector and a class: words, the style of another seed, noise, its own pictures.

import { $ } from "./form.js";
import { bytesAt, facts, program } from "./program.js";
import { MOST_SEED, STEPS, middle, mixture, seedOf, state } from "./state.js";

const MOST_PICTURES = 24;

// What there is.

/** Fills the fields with what the model has. */
export function fillInputs() {
  fillWords();
  const { styles, noise, pictures } = facts;
  $("style-field").hidden = styles === 0;
  $("first").replaceChildren(...Array.from({ length: styles }, (_, layer) => new Option(layer, layer)));
  $("noise-field").hidden = !noise;
  const shows = [["mix", styles > 1], ["middle", styles > 0], ["noise", noise], ["drums", facts.rate > 0]];
  for (const [mode, can] of shows) {
    const has = can && pictures === 0;
    const label = document.querySelector(`[name=mode][value=${mode}]`).parentElement;
    label.hidden = !has;
    if (!has && state.mode === mode) state.mode = "walk";
  }
  // Nothing hangs on a seed where all comes from the picture.
  $("seed-field").hidden = facts.dims === 0 && facts.classes === 0 && !noise;
  // There the show goes from one to the next.
  $("walk-title").textContent = pictures > 0 ? "Pictures" : "Walk";
  $("one-title").textContent = facts.rate > 0 ? "One sound" : "One image";
  $("sound-field").hidden = facts.rate === 0;
  fillPictures();
}

function fillWords() {
  $("said-field").hidden = facts.parts.length === 0;
  $("said").replaceChildren(...facts.parts.map(({ name, words }) => {
    const label = Object.assign(document.createElement("label"), { textContent: name });
    const select = document.createElement("select");
    select.dataset.name = name;
    select.append(new Option("any", ""), ...words.map((word) => new Option(word, word)));
    label.append(select);
    return label;
  }));
}

function fillPictures() {
  const { fedHeight: height, fedWidth: width, fedChannels: channels, pictures } = facts;
  $("picture-field").hidden = height === 0;
  $("picture-hint").textContent = `Made ${width}×${height}${pictures > 0 ? "." : "; black until there is one."}`;
  const wanted = state.picture ?? 0;
  state.picture = pictures === 0 ? null : wanted < pictures ? wanted : 0;
  $("pictures").replaceChildren(...Array.from({ length: Math.min(pictures, MOST_PICTURES) }, (_, number) => {
    program.own(number);
    const bytes = bytesAt(program.fed(), height * width * channels);
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "picture", value: number });
    input.setAttribute("aria-label", `Picture ${number}`);
    const face = document.createElement("span");
    face.append(drawn(bytes, width, height, channels));
    label.append(input, face);
    return label;
  }));
  if (state.picture !== null) program.own(state.picture);
}

/** A canvas with a picture of one channel, three or four. */
function drawn(bytes, width, height, channels) {
  const small = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const at = pixel * channels;
    for (let part = 0; part < 3; part += 1) image.data[4 * pixel + part] = bytes[channels < 3 ? at : at + part];
    image.data[4 * pixel + 3] = 255;
  }
  small.getContext("2d").putImageData(image, 0, 0);
  return small;
}

// What is chosen.

/** Shows what is chosen of them. */
export function showInputs() {
  if (!facts.ready) return;
  facts.parts.forEach(({ name, words }, index) => {
    const said = state.said.get(name);
    // A word of another model is none here.
    put($("said").children[index].lastChild, words.includes(said) ? said : "");
  });
  const styled = state.style === null ? "own" : state.style === "middle" ? "middle" : "seed";
  for (const radio of document.querySelectorAll("[name=style]")) radio.checked = radio.value === styled;
  if (document.activeElement !== $("style")) put($("style"), styled === "seed" ? state.style : "");
  put($("share"), state.share);
  $("share-told").textContent = `${state.share} of ${STEPS}`;
  put($("first"), mixture() ?? Math.min(state.first ?? middle(), facts.styles - 1));
  const kind = state.noise === null ? "own" : state.noise === "off" ? "off" : "seed";
  for (const radio of document.querySelectorAll("[name=noise]")) radio.checked = radio.value === kind;
  if (document.activeElement !== $("noise")) put($("noise"), kind === "seed" ? state.noise : "");
  for (const radio of document.querySelectorAll("[name=picture]")) {
    radio.checked = radio.value === String(state.picture);
  }
}

/** Only where it changes: a list may be open. */
function put(control, value) {
  if (control.value !== String(value)) control.value = value;
}

/** Hands them to the program, for still images; whether they are those of the seed alone. */
export function putInputs() {
  const [first, { noise, style }] = [mixture(), state];
  program.style(typeof style === "bigint" ? style : 0n, first ?? -1, state.share, style === "middle" ? 1 : 0);
  const isOwn = noise === null || !facts.noise;
  program.noise(isOwn ? 0 : noise === "off" ? 2 : 1, typeof noise === "bigint" ? noise : 0n);
  if (state.picture !== null) program.own(state.picture);
  return first === null && isOwn;
}

/** What the show's last image was made with. */
export function takeInputs(act) {
  const first = program.shown_first();
  state.style = null;
  if (first >= 0) {
    state.style = program.shown_middle() ? "middle" : BigInt.asUintN(64, program.shown_style());
    Object.assign(state, { first, share: program.shown_share() });
  }
  state.noise = [null, BigInt.asUintN(64, program.shown_noise()), "off"][program.shown_noise_from()];
  state.ofShow = first >= 0 || state.noise !== null;
  if (act <= FIRST_PICTURE) state.picture = FIRST_PICTURE - act;
  showInputs();
}

/** The act of the model's first picture; those behind it count down. */
const FIRST_PICTURE = -7;

/** What is told of them. */
export function tellInputs() {
  const told = [];
  const first = mixture();
  if (first !== null) {
    const far = state.share < STEPS ? `${state.share} of ${STEPS} steps to the ` : "";
    const what = state.style === "middle" ? "middle of all styles" : `style of seed ${state.style}`;
    told.push(`${far}${what}${first > 0 ? ` from layer ${first}` : ""}`);
  }
  if (facts.pictures > 0 && state.picture !== null) told.push(`picture ${state.picture}`);
  if (facts.noise && state.noise !== null) told.push(state.noise === "off" ? "no noise" : `noise of seed ${state.noise}`);
  return told;
}

/** A box for a seed between two buttons, by their names: arrow keys go up and down. */
export function seedBox(name, seed, choose) {
  const typed = () => seedOf($(name).value) ?? seed();
  $(`${name}-before`).addEventListener("click", () => choose(wrapped(seed() - 1n)));
  $(`${name}-after`).addEventListener("click", () => choose(wrapped(seed() + 1n)));
  $(name).addEventListener("change", () => choose(typed()));
  $(name).addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1n, ArrowDown: -1n, Enter: 0n }[event.key];
    if (by === undefined) return;
    choose(wrapped(typed() + by));
    event.preventDefault();
  });
}

function wrapped(seed) {
  return seed & MOST_SEED;
}

/** Listens to their fields: `choose` takes what was chosen of a still image, `say` words. */
export function listen(choose, say) {
  $("said").addEventListener("change", ({ target }) => {
    if (target.value) state.said.set(target.dataset.name, target.value);
    else state.said.delete(target.dataset.name);
    say();
  });
  $("any").addEventListener("click", () => { state.said.clear(); say(); });
  const styleSeed = () => (typeof state.style === "bigint" ? state.style : wrapped(state.seed + 1n));
  const styles = { own: () => null, seed: styleSeed, middle: () => "middle" };
  $("styles").addEventListener("change", ({ target }) => {
    // How far, and from where on, the show went is no choice of a person.
    const whole = state.ofShow ? { first: null, share: STEPS } : {};
    choose({ style: styles[target.value](), ...whole });
  });
  $("first").addEventListener("change", ({ target }) =>
    choose({ style: state.style ?? styleSeed(), first: Number(target.value) }));
  $("share").addEventListener("input", ({ target }) =>
    choose({ style: state.style ?? styleSeed(), share: Number(target.value) }));
  seedBox("style", styleSeed, (style) => { $("style").value = style; choose({ style }); });
  const noiseSeed = () => (typeof state.noise === "bigint" ? state.noise : state.seed);
  const noises = { own: () => null, seed: noiseSeed, off: () => "off" };
  $("noises").addEventListener("change", ({ target }) => choose({ noise: noises[target.value]() }));
  seedBox("noise", noiseSeed, (noise) => { $("noise").value = noise; choose({ noise }); });
  $("pictures").addEventListener("change", ({ target }) => choose({ picture: Number(target.value) }));
}
