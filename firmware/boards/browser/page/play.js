// The page's half of the board: the program draws to its own memory; this copies it to the canvas, and turns what
// people do into calls.

import {
  $, canvas, fillChoices, fillClasses, fillModels, fillPanels, fillSheet, fillSliders, label, list, notice, refuse,
  showChoices as showForm, showFigures, showSliders,
} from "./form.js";
import { fillInputs, listen, putInputs, seedBox, showInputs, takeInputs, tellInputs } from "./inputs.js";
import { bytesAt, codes, dropModel, facts, load, program, putModel } from "./program.js";
import { atOnce, during, hush, isOn, takeSample, turnOff, turnOn } from "./sound.js";
import {
  ANY, STEPS, className, forgetClass, forgetStyle, readAddress, settleClass, state, writeAddress,
} from "./state.js";

const COLORS = ["binary", "gray4", "gray8", "rgb565", "rgb888"];
/** What the program calls each show, and the acts that it tells. */
const SHOWS = { gallery: 0, walk: 1, mix: 3, noise: 4, middle: 5, drums: 6 };
const ACTS = { "-2": "gallery", "-3": "mix", "-4": "noise", "-5": "middle", "-6": "drums" };
const OF_CLASS = 2;

const context = canvas.getContext("2d");

let opened;     // a file that was opened: its name and bytes
let millis = 0; // an image takes, smoothed
let images = 0; // drawn since the show began
let begun = 0;  // shows and images so far, which tells tests one from the other
let lines = [];

// ---- The program.

async function start() {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) state.mode = "one";
  const get = async (name) => {
    const answer = await fetch(name);
    if (!answer.ok) throw new Error(`expected ${name} beside this page, found ${answer.status} ${answer.statusText}`);
    return answer;
  };
  const [module, json] = await Promise.all([
    get("edgegen.wasm").then((answer) => answer.arrayBuffer()),
    get("playground.json").then((answer) => answer.json()),
  ]);
  await load(module, log, takeSample);
  fillChoices(json);
  readAddress(location.hash, list);
  // What the event tells: the address itself may be written again by now.
  addEventListener("hashchange", ({ newURL }) => { readAddress(new URL(newURL).hash, list); chooseModel(); });
  await chooseModel();
  requestAnimationFrame(turn);
  // Only the host of a training has this file.
  if (json.studio) await (await import("./studio.js")).begin(json.studio);
  document.body.dataset.ready = "yes";
}

function log(line) {
  lines = [...lines.slice(-99), line];
  $("log").textContent = lines.join("\n");
}

/** Every turn of the screen: the show's next image, if it is time. */
function turn() {
  requestAnimationFrame(turn);
  if (!facts.ready || state.mode === "one") return;
  const began = performance.now();
  if (during(() => program.frame()) === 0) return;
  measure(began);
  images += 1;
  const act = program.shown_act();
  const mode = ACTS[act] ?? "walk";
  const kind = act < 0 ? ANY : act;
  // The button goes on to another act.
  if (mode !== state.mode || (mode === "walk" && kind !== state.drawn)) {
    forgetClass();
    if (facts.parts.length === 0) state.kind = kind;
    Object.assign(state, { mode, drawn: kind, moved: new Map() });
    images = 1;
    showChoices();
  }
  state.keyed = act === -1 && facts.keyframes > 0;
  state.step = program.shown_step();
  const seed = BigInt.asUintN(64, program.shown_seed());
  // The gallery tells the seed of each cell and the drum machine that of each bar, the box keeps the first; a way of
  // its own has no seeds.
  if (mode !== "gallery" && mode !== "drums" && !state.keyed) state.seed = seed;
  state.shown = seed;
  if (document.activeElement !== $("seed")) $("seed").value = state.seed;
  takeInputs(act);
  program.fill(seed, state.step, state.drawn, state.keyed ? 1 : 0);
  showSliders();
  show();
}

function measure(began) {
  const took = performance.now() - began;
  millis = millis ? millis + (took - millis) / 10 : took;
}

/** Copies the panel to the canvas, and says what it shows. */
function show() {
  const { width, height } = canvas;
  const pixels = new Uint8ClampedArray(program.memory.buffer, program.pixels(), 4 * width * height);
  context.putImageData(new ImageData(pixels, width, height), 0, 0);
  Object.assign(canvas.dataset, { images, begun });
  if (!facts.ready) return;
  const told = [];
  if (state.keyed) told.push(`on its own way, from key ${state.shown ?? state.seed}`);
  else if (state.moved.size) told.push("a latent vector of your own");
  else if (state.mode === "gallery") told.push(`seed ${state.shown}`);
  else told.push(state.step ? `step ${state.step} of ${STEPS} from seed ${state.seed}` : `seed ${state.seed}`);
  if (state.drawn !== ANY) told.push(className(state.drawn));
  // What a person can call it, of an image that is of one kind: a drum machine plays all.
  else if (state.step === 0 && !state.keyed && state.mode !== "drums") told.push(...ownName());
  told.push(...tellInputs());
  if (millis) told.push(`made and drawn in ${millis.toFixed(millis < 10 ? 2 : 0)} ms here`);
  $("status").textContent = told.join(" · ");
}

/** What the seed's own class is called, if the model says it. */
function ownName() {
  if (facts.parts.length === 0 && facts.names.length === 0) return [];
  return [className(program.own_class(state.mode === "gallery" ? state.shown : state.seed))];
}

/** Shows what is chosen. */
function showChoices() {
  showForm();
  showInputs();
}

/** Begins what is chosen. */
function begin() {
  if (!facts.ready) return;
  hush();
  [images, millis] = [0, 0];
  begun += 1;
  // Told at once, though a walk draws its first image at the screen's next turn: who waits for another show must not
  // take this one for it.
  Object.assign(canvas.dataset, { images, begun });
  if (state.mode === "one") {
    drawOne();
  } else {
    Object.assign(state, { step: 0, keyed: false, moved: new Map(), shown: state.seed });
    forgetStyle();
    const act = state.mode === "walk" && state.drawn !== ANY ? OF_CLASS : SHOWS[state.mode];
    program.begin(act, Math.max(state.drawn, 0), state.seed, state.words ? 1 : 0);
    showInputs();
  }
  label();
  writeAddress();
}

/** One image, of the seed's latent vector and what was moved of it. */
function drawOne() {
  fillCodes();
  const values = codes();
  for (const [index, code] of state.moved) values[index] = code;
  const isSeed = putInputs() && state.step === 0 && !state.keyed && state.moved.size === 0;
  const began = performance.now();
  atOnce(() => program.still(state.keyed ? state.shown : state.seed, state.step, state.drawn, state.keyed ? 1 : 0,
    state.words ? (isSeed ? 2 : 1) : 0));
  measure(began);
  images = 1;
  showSliders();
  show();
}

function fillCodes() {
  program.fill(state.keyed ? state.shown : state.seed, state.step, state.drawn, state.keyed ? 1 : 0);
}

// ---- Models.

async function chooseModel() {
  // What runs stops here: what it tells would be taken for what is chosen.
  dropModel();
  $("status").textContent = "Loading …";
  const offer = list.models.find(({ name }) => name === state.model);
  let bytes;
  if (offer) {
    try {
      const answer = await fetch(`${encodeURIComponent(offer.name)}.egm`);
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      bytes = new Uint8Array(await answer.arrayBuffer());
    } catch (error) {
      return refuse(`${offer.name}.egm could not be fetched: ${error.message}`);
    }
    // Another one was chosen meanwhile.
    if (state.model !== offer.name) return;
  } else if (opened) {
    bytes = opened.bytes;
  } else {
    return refuse("there is no model: open an .egm file, as `edgegen export` writes it");
  }
  take(bytes, offer);
}

/** Hands a model file to the program. */
function take(bytes, offer) {
  dropModel();
  choosePanel();
  const wrong = putModel(bytes);
  if (wrong !== null) {
    show();
    return refuse(`${offer ? offer.name : opened.name}: ${wrong}`);
  }
  if (facts.parts.length === 0 && state.kind >= facts.classes) state.kind = ANY;
  [state.step, state.keyed, state.moved] = [0, false, new Map()];
  delete canvas.dataset.fed;
  notice("");
  fillClasses();
  fillSliders();
  fillInputs();
  fillSheet(offer);
  chooseSound();
  // All other shows are of all classes.
  if (state.mode !== "one" && state.mode !== "walk") forgetClass();
  settleClass();
  showFigures(bytes, offer);
  showChoices();
  begin();
}

/** Takes a model into the list, in place of one of its name, and opens it. */
export async function offerModel(offer) {
  list.models = [...list.models.filter(({ name }) => name !== offer.name), offer];
  fillModels();
  state.model = offer.name;
  await chooseModel();
}

async function openFile(file) {
  if (file.type.startsWith("image/") && facts.fedHeight) return openPicture(file);
  opened = { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
  const option = [...$("model").options].find(({ value }) => value === "") ?? new Option("", "");
  option.textContent = file.name;
  $("model").add(option);
  $("model").value = state.model = "";
  $("about").textContent = "";
  take(opened.bytes);
}

// ---- Panels.

function choosePanel() {
  const panel = list.panels.find(({ name }) => name === state.panel) ?? list.panels[0];
  state.panel = panel.name;
  [images, millis] = [0, 0];
  program.panel(panel.width, panel.height, COLORS.indexOf(panel.colors));
  [canvas.width, canvas.height] = [panel.width, panel.height];
  $("glass").className = panel.width <= 16 ? "leds" : "";
  fitPanel();
  if (facts.ready) begin();
  else show();
}

/** Takes a panel into the list, in place of one of its name, and shows it. */
export function offerPanel(panel) {
  list.panels = [panel, ...list.panels.filter(({ name }) => name !== panel.name)];
  fillPanels();
  state.panel = panel.name;
  choosePanel();
  showChoices();
}

/** A whole number of screen pixels for each of the panel's, where there is room; at most a good part of the screen. */
function fitPanel() {
  const style = getComputedStyle($("bezel"));
  const room = $("bezel").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const high = Math.max(innerWidth < 896 ? 0.35 * innerHeight : 0.6 * innerHeight, 160);
  const most = Math.min(room / canvas.width, high / canvas.height, 640 / canvas.width);
  canvas.style.width = `${canvas.width * Math.max(1, Math.floor(most))}px`;
}

// ---- Choices.

function chooseMode(mode) {
  state.mode = mode;
  if (mode !== "one" && mode !== "walk") forgetClass();
  showChoices();
  begin();
}

function chooseSeed(seed) {
  Object.assign(state, { seed, step: 0, keyed: false, moved: new Map() });
  // What the show has left belongs to its seed, what a person has chosen stays.
  if (state.ofShow) forgetStyle();
  $("seed").value = state.seed;
  settleClass();
  showInputs();
  begin();
}

/** Takes another class, or other words. */
function chooseKind(kind = state.kind) {
  state.kind = kind;
  settleClass();
  // All other shows are of all classes.
  if (state.mode !== "walk" && state.drawn !== ANY) state.mode = "one";
  showChoices();
  begin();
}

/** Takes another input of a still image. */
function chooseInput(chosen) {
  Object.assign(state, chosen, { ofShow: false });
  if (chosen.picture !== undefined) delete canvas.dataset.fed;
  chooseMode("one");
}

function move(index, code) {
  state.mode = "one";
  state.moved.set(index, code);
  showChoices();
  begin();
}

// ---- Sound.

/** Plays, or not, as the box says and the model can. */
function chooseSound() {
  if ($("sound").checked && facts.rate > 0) turnOn(facts.rate);
  else turnOff();
  program.listen(isOn() ? 1 : 0);
}

// ---- The picture that a model reads.

async function openPicture(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return notice(`expected a picture that this browser can read, found ${file.name}`);
  }
  const { fedHeight: height, fedWidth: width, fedChannels: channels } = facts;
  const small = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  small.drawImage(picture, 0, 0, width, height);
  const { data } = small.getImageData(0, 0, width, height);
  feed(Uint8Array.from({ length: width * height * channels }, (_, index) => {
    const [pixel, channel] = [4 * Math.floor(index / channels), index % channels];
    const [red, green, blue, alpha] = data.subarray(pixel, pixel + 4);
    if (channels < 3) return (77 * red + 150 * green + 29 * blue + 128) >> 8;
    return [red, green, blue, alpha][channel] ?? 0;
  }));
}

function feed(bytes) {
  bytesAt(program.fed(), bytes.length).set(bytes);
  canvas.dataset.fed = "yes";
  state.picture = null;
  notice("");
  chooseMode("one");
}

// ---- What people do.

$("model").addEventListener("change", ({ target }) => { state.model = target.value; chooseModel(); });
for (const [id, take] of [["open", openFile], ["picture", openPicture]]) {
  $(id).addEventListener("change", ({ target }) => {
    if (target.files[0]) take(target.files[0]);
    // So that the same file, changed meanwhile, can be taken again.
    target.value = "";
  });
}
$("black").addEventListener("click", () => feed(new Uint8Array(facts.fedHeight * facts.fedWidth * facts.fedChannels)));
$("panels").addEventListener("change", ({ target }) => { state.panel = target.value; choosePanel(); });
$("modes").addEventListener("change", ({ target }) => chooseMode(target.value));
$("classes").addEventListener("change", ({ target }) => chooseKind(Number(target.value)));
$("words").addEventListener("change", ({ target }) => { state.words = target.checked; begin(); });
$("sound").addEventListener("change", () => { chooseSound(); if (state.mode === "one") begin(); });
seedBox("seed", () => state.seed, chooseSeed);
$("random").addEventListener("click", () => chooseSeed(BigInt(crypto.getRandomValues(new Uint32Array(1))[0])));
listen(chooseInput, chooseKind);
$("sliders").addEventListener("input", ({ target }) => move(Number(target.dataset.index), Number(target.value)));
$("reset").addEventListener("click", () => {
  state.moved = new Map();
  if (state.ofShow) forgetStyle();
  chooseMode("one");
});
$("zero").addEventListener("click", () => {
  state.moved = new Map(Array.from({ length: facts.dims }, (_, index) => [index, 0]));
  chooseMode("one");
});
$("press").addEventListener("click", () => {
  if (state.mode === "one") return chooseMode("gallery");
  program.press();
});
$("controls").addEventListener("submit", (event) => event.preventDefault());
new ResizeObserver(fitPanel).observe($("bezel"));

addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0] && program) openFile(event.dataTransfer.files[0]);
});

start().catch((error) => refuse(`the playground cannot start: ${error.message}`));
