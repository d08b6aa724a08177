// The form: fills it with what there is to choose, and shows what is chosen.

import { codes, facts } from "./program.js";
import { ANY, className, state } from "./state.js";

const MOST_SLIDERS = 256;
const MOST_BUTTONS = 24;

export const $ = (id) => document.getElementById(id);
export const canvas = $("panel");

/** playground.json: panels and models. */
export let list;

// What there is.

function radio(name, value, words, title = "") {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
  label.title = title;
  label.append(input, Object.assign(document.createElement("span"), { textContent: words }));
  return label;
}

export function fillChoices(json) {
  list = json;
  fillPanels();
  fillModels();
  state.model = list.models[0]?.name ?? "";
}

export function fillPanels() {
  const short = { binary: "1 bit", gray4: "16 greys", gray8: "256 greys", rgb565: "RGB565", rgb888: "RGB888" };
  $("panels").replaceChildren(...list.panels.map(({ name, title, width, height, colors, board }) =>
    radio("panel", name, `${board ? `${board}: ` : ""}${width}×${height} · ${short[colors]}`, title)));
}

export function fillModels() {
  $("model").replaceChildren(...list.models.map(({ name }) => new Option(name, name)));
}

/** By name, where the model says it. Combinations of words have a field of their own. */
export function fillClasses() {
  const count = facts.parts.length ? 0 : facts.classes;
  $("class-field").hidden = count === 0;
  const names = Array.from({ length: count }, (_, index) => facts.names[index] || index);
  if (count <= MOST_BUTTONS) {
    const buttons = names.map((name, index) => radio("class", index, name, `Class ${index}`));
    $("classes").replaceChildren(radio("class", ANY, "any", "The seed’s own class"), ...buttons);
    return;
  }
  const select = Object.assign(document.createElement("select"), { name: "class" });
  select.setAttribute("aria-label", "Class");
  select.append(new Option("any", ANY), ...names.map((name, index) => new Option(name, index)));
  $("classes").replaceChildren(select);
}

export function fillSliders() {
  $("latent-field").hidden = facts.dims === 0;
  const count = Math.min(facts.dims, MOST_SLIDERS);
  const what = facts.steps === 32 ? "normal values, in standard deviations" : "uniform values";
  $("latent-hint").textContent = `${facts.dims} ${what}; moving one holds the image.` +
    (count < facts.dims ? ` The first ${count} are shown.` : "");
  $("sliders").replaceChildren(...Array.from({ length: count }, (_, index) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: facts.least, max: 127, step: 1 });
    input.dataset.index = index;
    label.append(`z${index + 1}`, input, document.createElement("output"));
    return label;
  }));
}

/** Sets the sliders to what is drawn. */
export function showSliders() {
  if (facts.dims === 0) return;
  const values = codes();
  for (const label of $("sliders").children) {
    const [input, output] = label.children;
    const code = values[input.dataset.index];
    const value = (code / facts.steps).toFixed(2).replace("-", "−");
    label.classList.toggle("moved", state.moved.has(Number(input.dataset.index)));
    if (output.textContent === value) continue;
    input.value = code;
    output.textContent = value;
    input.setAttribute("aria-valuetext", value);
  }
}

/** Shows what is chosen. */
export function showChoices() {
  $("model").value = state.model;
  $("words").checked = state.words;
  if (document.activeElement !== $("seed")) $("seed").value = state.seed;
  for (const [name, value] of [["panel", state.panel], ["mode", state.mode], ["class", state.kind]]) {
    for (const input of $("controls").querySelectorAll(`[name="${name}"]`)) {
      if (input.type === "radio") input.checked = input.value === String(value);
      else input.value = value;
    }
  }
  label();
}

/** What the canvas shows, for those who do not see it. */
export function label() {
  const panel = list.panels.find(({ name }) => name === state.panel);
  const what = {
    one: facts.rate > 0 ? "one sound" : "one image",
    walk: facts.pictures > 0 ? "one picture after another" : "a walk through latent space",
    gallery: "a gallery",
    mix: "mixtures of styles",
    middle: "one image on its way to the middle of all styles",
    noise: "one image with other noise each time",
    drums: "a drum machine",
  }[state.mode];
  const kind = state.drawn === ANY || !facts.ready ? "" : ` of ${className(state.drawn)}`;
  const model = facts.name ?? "no model";
  canvas.setAttribute("aria-label", `${panel.title}: ${what} of ${model}${kind}, from seed ${state.seed}`);
}

/** The sheet of samples of a model that is offered with one; it is fetched when somebody wants to see it. */
export function fillSheet(offer) {
  $("sheet-field").hidden = !offer?.sheet;
  $("sheet-field").open = false;
  $("model-sheet").removeAttribute("src");
  if (!offer?.sheet) return;
  $("sheet-link").href = `${encodeURIComponent(offer.name)}.png`;
  $("model-sheet").alt = `Samples of ${offer.name}`;
}

$("sheet-field").addEventListener("toggle", ({ target }) => {
  if (target.open) $("model-sheet").src = $("sheet-link").href;
});

// What is said.

export function showFigures(bytes, offer) {
  const { height, width, channels, rate } = facts;
  const [flash, ram] = offer ? offer.portable : [bytes.length, facts.arena];
  const colors = channels === 1 ? "grey" : channels === 3 ? "RGB" : `${channels} channels`;
  const made = rate > 0
    ? `sounds of ${twoDigits(height / rate)} seconds at ${rate / 1000} kHz`
    : `images of ${height}×${width}, ${colors}`;
  $("figures").textContent =
    `${facts.name}: ${made}. ${kilobytes(flash)} of flash, ${kilobytes(ram)} of RAM. ` +
    (offer?.chips.length
      ? "Packed for each chip:"
      : "`edgegen inspect` tells where it fits, `edgegen flash` puts it there.");
  $("about").textContent = offer?.about ?? "";
  $("time-title").textContent = rate > 0 ? "a sound" : "an image";
  $("boards").hidden = $("chips-hint").hidden = !offer?.chips.length;
  $("chip-rows").replaceChildren(...(offer?.chips ?? []).map((chip) => {
    const fits = chip.flash[0] <= chip.flash[1] && chip.ram[0] <= chip.ram[1];
    const row = document.createElement("tr");
    const time = chip.milliseconds === null ? "–" : `≈ ${twoDigits(chip.milliseconds)} ms`;
    const memories = [chip.flash, chip.ram].map(([taken, room]) => `${thousands(taken)} of ${thousands(room)}`);
    const cells = [chip.board, ...memories, fits ? time : "too large"];
    row.title = chip.title;
    row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
    row.lastChild.className = fits ? "" : "bad";
    return row;
  }));
}

/** Two digits that count, and the others as they stand. */
export function twoDigits(number) {
  return number < 10 ? number.toPrecision(2) : number.toFixed(0);
}

export function thousands(bytes) {
  return (bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function kilobytes(bytes) {
  return `${thousands(bytes)} KB`;
}

export function notice(reason) {
  $("notice").textContent = reason;
  $("notice").hidden = !reason;
}

export function refuse(reason) {
  $("status").textContent = "";
  $("figures").textContent = "";
  canvas.setAttribute("aria-label", `The panel: ${reason}`);
  const fields = ["class", "said", "style", "noise", "latent", "picture", "sheet", "sound"];
  for (const id of [...fields.map((name) => `${name}-field`), "boards", "chips-hint"]) $(id).hidden = true;
  notice(reason);
}
