// The page's half of the board: src/lib.rs is the other one. The program draws to its own memory; this copies it to the
// canvas, and turns what people do into calls.

const COLORS = ["binary", "gray4", "gray8", "rgb565", "rgb888"];
const MOST_SEED = 2n ** 64n - 1n;
const MOST_SLIDERS = 256;
const MOST_BUTTONS = 24;
const STEPS = 64;
const FACTS = ["height", "width", "channels", "dims", "steps", "least", "classes", "keyframes", "arena",
  "fedHeight", "fedWidth", "fedChannels"];
const ANY = -1;

const $ = (id) => document.getElementById(id);
const canvas = $("panel");
const context = canvas.getContext("2d");
const decoder = new TextDecoder();

/** What is chosen. `moved`: latent values that a person has set, by index. */
const state = { model: "", panel: "", mode: "walk", seed: 1n, step: 0, keyed: false, kind: ANY, words: true, moved: new Map() };
let list;       // playground.json
let program;    // what the module exports
let facts = {}; // of the model
let opened;     // a file that was opened: its name and bytes
let millis = 0; // an image takes, smoothed
let images = 0; // drawn since the show began
let begun = 0;  // shows and images so far, which tells tests one from the other
let lines = [];
let writing; // timer of the address

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
  list = json;
  const page = { ticks: () => (performance.now() * 1000) >>> 0, line: (at, length) => log(text(at, length)) };
  program = (await WebAssembly.instantiate(module, { page })).instance.exports;
  fillChoices();
  readAddress(location.hash);
  // What the event tells: the address itself may be written again by now.
  addEventListener("hashchange", ({ newURL }) => { readAddress(new URL(newURL).hash); chooseModel(); });
  await chooseModel();
  requestAnimationFrame(turn);
  document.body.dataset.ready = "yes";
}

const bytesAt = (at, length) => new Uint8Array(program.memory.buffer, at, length);
const text = (at, length) => decoder.decode(bytesAt(at, length));

function log(line) {
  lines = [...lines.slice(-99), line];
  $("log").textContent = lines.join("\n");
}

/** Every turn of the screen: the show's next image, if it is time. */
function turn() {
  requestAnimationFrame(turn);
  if (!facts.ready || state.mode === "one") return;
  const began = performance.now();
  if (program.frame() === 0) return;
  measure(began);
  images += 1;
  const act = program.shown_act();
  const mode = act === -2 ? "gallery" : "walk";
  const kind = act < 0 ? ANY : act;
  // The button goes on to another act.
  if (mode !== state.mode || (mode === "walk" && kind !== state.kind)) {
    Object.assign(state, { mode, kind, moved: new Map() });
    images = 1;
    showChoices();
  }
  state.keyed = act === -1 && facts.keyframes > 0;
  state.step = program.shown_step();
  const seed = BigInt.asUintN(64, program.shown_seed());
  // The gallery tells the seed of each cell, the box keeps the first; a way of its own has no seeds.
  if (mode === "walk" && !state.keyed) state.seed = seed;
  state.shown = seed;
  if (document.activeElement !== $("seed")) $("seed").value = state.seed;
  program.fill(seed, state.step, state.kind, state.keyed ? 1 : 0);
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
  if (state.kind !== ANY) told.push(`class ${state.kind}`);
  if (millis) told.push(`made and drawn in ${millis.toFixed(millis < 10 ? 2 : 0)} ms here`);
  $("status").textContent = told.join(" · ");
}

/** Begins what is chosen. */
function begin() {
  if (!facts.ready) return;
  [images, millis] = [0, 0];
  begun += 1;
  if (state.mode === "one") {
    drawOne();
  } else {
    [state.step, state.keyed, state.moved] = [0, false, new Map()];
    state.shown = state.seed;
    const act = state.mode === "gallery" ? 0 : state.kind === ANY ? 1 : 2;
    program.begin(act, Math.max(state.kind, 0), state.seed, state.words ? 1 : 0);
  }
  label();
  writeAddress();
}

/** One image, of the seed's latent vector and what was moved of it. */
function drawOne() {
  fillCodes();
  const codes = new Int8Array(program.memory.buffer, program.codes(), facts.dims);
  for (const [index, code] of state.moved) codes[index] = code;
  const isSeed = state.step === 0 && !state.keyed && state.moved.size === 0;
  const began = performance.now();
  program.still(state.keyed ? state.shown : state.seed, state.step, state.kind, state.keyed ? 1 : 0,
    state.words ? (isSeed ? 2 : 1) : 0);
  measure(began);
  images = 1;
  showSliders();
  show();
}

function fillCodes() {
  program.fill(state.keyed ? state.shown : state.seed, state.step, state.kind, state.keyed ? 1 : 0);
}

// ---- Models.

async function chooseModel() {
  // What runs stops here: what it tells would be taken for what is chosen.
  facts = {};
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
  facts = {};
  choosePanel();
  const at = program.file(bytes.length);
  const isTaken = at !== 0 && (bytesAt(at, bytes.length).set(bytes), program.load(bytes.length) === 1);
  const told = text(program.text(), program.text_len());
  if (!isTaken) {
    show();
    return refuse(`${offer ? offer.name : opened.name}: ${told}`);
  }
  const words = new Int32Array(program.memory.buffer, program.facts(), FACTS.length);
  facts = Object.fromEntries(FACTS.map((name, index) => [name, words[index]]));
  facts.ready = true;
  facts.name = told;
  if (state.kind >= facts.classes) state.kind = ANY;
  [state.step, state.keyed, state.moved] = [0, false, new Map()];
  notice("");
  fillClasses();
  fillSliders();
  fillPicture();
  showFigures(bytes, offer);
  showChoices();
  begin();
}

function refuse(reason) {
  $("status").textContent = "";
  $("figures").textContent = "";
  canvas.setAttribute("aria-label", `The panel: ${reason}`);
  for (const id of ["class-field", "latent-field", "picture-field", "boards", "chips-hint"]) $(id).hidden = true;
  notice(reason);
}

function notice(reason) {
  $("notice").textContent = reason;
  $("notice").hidden = !reason;
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

function showFigures(bytes, offer) {
  const { height, width, channels } = facts;
  const [flash, ram] = offer ? offer.portable : [bytes.length, facts.arena];
  const colors = channels === 1 ? "grey" : channels === 3 ? "RGB" : `${channels} channels`;
  $("figures").textContent =
    `${facts.name}: images of ${height}×${width}, ${colors}. ${kilobytes(flash)} of flash, ${kilobytes(ram)} of RAM. ` +
    (offer?.chips.length ? "Packed for each chip:" : "`edgegen inspect` tells where it fits, `edgegen flash` puts it there.");
  $("about").textContent = offer?.about ?? "";
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
function twoDigits(number) {
  return number < 10 ? number.toPrecision(2) : number.toFixed(0);
}

function thousands(bytes) {
  return (bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function kilobytes(bytes) {
  return `${thousands(bytes)} KB`;
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

/** A whole number of screen pixels for each of the panel's, where there is room; not more than a good part of the screen. */
function fitPanel() {
  const style = getComputedStyle($("bezel"));
  const room = $("bezel").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const high = Math.max(innerWidth < 896 ? 0.35 * innerHeight : 0.6 * innerHeight, 160);
  const most = Math.min(room / canvas.width, high / canvas.height, 640 / canvas.width);
  canvas.style.width = `${canvas.width * Math.max(1, Math.floor(most))}px`;
}

// ---- Choices.

function radio(name, value, words, title = "") {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
  label.title = title;
  label.append(input, Object.assign(document.createElement("span"), { textContent: words }));
  return label;
}

function fillChoices() {
  const short = { binary: "1 bit", gray4: "16 greys", gray8: "256 greys", rgb565: "RGB565", rgb888: "RGB888" };
  $("panels").replaceChildren(...list.panels.map(({ name, title, width, height, colors }) =>
    radio("panel", name, `${width}×${height} · ${short[colors]}`, title)));
  $("model").replaceChildren(...list.models.map(({ name }) => new Option(name, name)));
  state.model = list.models[0]?.name ?? "";
}

function fillClasses() {
  $("class-field").hidden = facts.classes === 0;
  if (facts.classes <= MOST_BUTTONS) {
    const numbers = Array.from({ length: facts.classes }, (_, index) => radio("class", index, index));
    $("classes").replaceChildren(radio("class", ANY, "any", "The seed’s own class"), ...numbers);
    return;
  }
  const select = Object.assign(document.createElement("select"), { name: "class" });
  select.setAttribute("aria-label", "Class");
  select.add(new Option("any", ANY));
  for (let index = 0; index < facts.classes; index += 1) select.add(new Option(index, index));
  $("classes").replaceChildren(select);
}

function fillSliders() {
  $("latent-field").hidden = facts.dims === 0;
  const count = Math.min(facts.dims, MOST_SLIDERS);
  const what = facts.steps === 32 ? "normal values, in standard deviations" : "uniform values";
  $("latent-hint").textContent = `${facts.dims} ${what}; moving one holds the image.` +
    (count < facts.dims ? ` The first ${count} are shown.` : "");
  $("sliders").replaceChildren(...Array.from({ length: count }, (_, index) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "range", min: facts.least, max: 127, step: 1 });
    input.dataset.index = index;
    label.append(`z${index + 1}`, input, document.createElement("output"));
    return label;
  }));
}

/** Sets the sliders to what is drawn. */
function showSliders() {
  if (facts.dims === 0) return;
  const codes = new Int8Array(program.memory.buffer, program.codes(), facts.dims);
  for (const label of $("sliders").children) {
    const [input, output] = label.children;
    const code = codes[input.dataset.index];
    const value = (code / facts.steps).toFixed(2).replace("-", "−");
    label.classList.toggle("moved", state.moved.has(Number(input.dataset.index)));
    if (output.textContent === value) continue;
    input.value = code;
    output.textContent = value;
    input.setAttribute("aria-valuetext", value);
  }
}

/** Shows what is chosen. */
function showChoices() {
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
function label() {
  const panel = list.panels.find(({ name }) => name === state.panel);
  const what = { one: "one image", walk: "a walk through latent space", gallery: "a gallery" }[state.mode];
  const kind = state.kind === ANY ? "" : ` of class ${state.kind}`;
  canvas.setAttribute("aria-label", `${panel.title}: ${what} of ${facts.name ?? "no model"}${kind}, from seed ${state.seed}`);
}

function chooseMode(mode) {
  state.mode = mode;
  showChoices();
  begin();
}

function chooseSeed(seed) {
  Object.assign(state, { seed: BigInt.asUintN(64, seed), step: 0, keyed: false, moved: new Map() });
  $("seed").value = state.seed;
  begin();
}

/** The number in the seed's box, or the seed as it is. */
function seedTyped() {
  const digits = $("seed").value.replace(/[\s_]/g, "");
  if (!/^[0-9]+$/.test(digits)) return state.seed;
  const seed = BigInt(digits);
  return seed > MOST_SEED ? MOST_SEED : seed;
}

function chooseKind(kind) {
  state.kind = kind;
  // A gallery is of all classes.
  if (state.mode === "gallery" && kind !== ANY) state.mode = "one";
  showChoices();
  begin();
}

function move(index, code) {
  state.mode = "one";
  state.moved.set(index, code);
  showChoices();
  begin();
}

// ---- The picture that a model reads.

function fillPicture() {
  $("picture-field").hidden = facts.fedHeight === 0;
  $("picture-hint").textContent = `Made ${facts.fedWidth}×${facts.fedHeight}; black until there is one.`;
}

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
  notice("");
  chooseMode("one");
}

// ---- The address holds what is chosen, so that it can be kept and passed on.

function readAddress(hash) {
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
function writeAddress() {
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

// ---- What people do.

$("model").addEventListener("change", ({ target }) => { state.model = target.value; chooseModel(); });
$("open").addEventListener("change", ({ target }) => { if (target.files[0]) openFile(target.files[0]); target.value = ""; });
$("picture").addEventListener("change", ({ target }) => { if (target.files[0]) openPicture(target.files[0]); target.value = ""; });
$("black").addEventListener("click", () => feed(new Uint8Array(facts.fedHeight * facts.fedWidth * facts.fedChannels)));
$("panels").addEventListener("change", ({ target }) => { state.panel = target.value; choosePanel(); });
$("modes").addEventListener("change", ({ target }) => chooseMode(target.value));
$("classes").addEventListener("change", ({ target }) => chooseKind(Number(target.value)));
$("words").addEventListener("change", ({ target }) => { state.words = target.checked; begin(); });
$("before").addEventListener("click", () => chooseSeed(state.seed - 1n));
$("after").addEventListener("click", () => chooseSeed(state.seed + 1n));
$("random").addEventListener("click", () => chooseSeed(BigInt(crypto.getRandomValues(new Uint32Array(1))[0])));
$("seed").addEventListener("change", () => chooseSeed(seedTyped()));
$("seed").addEventListener("keydown", (event) => {
  const by = { ArrowUp: 1n, ArrowDown: -1n }[event.key];
  if (by) chooseSeed(seedTyped() + by);
  else if (event.key === "Enter") chooseSeed(seedTyped());
  else return;
  event.preventDefault();
});
$("sliders").addEventListener("input", ({ target }) => move(Number(target.dataset.index), Number(target.value)));
$("reset").addEventListener("click", () => { state.moved = new Map(); chooseMode("one"); });
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
