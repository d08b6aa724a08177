// The studio above the playground: a training that its host runs, and the way of its model to a board.

import { charts } from "./chart.js";
import { $, kilobytes, thousands, twoDigits } from "./form.js";
import { offerModel, offerPanel } from "./play.js";

/** Milliseconds between looks at the host; more where nobody sees the page. */
const [OFTEN, SELDOM] = [1000, 5000];

const PHASES = {
  choosing: "Choosing a recipe for the pictures",
  training: "Under way",
  pausing: "Saving; then it is paused",
  paused: "Paused",
  done: "Done",
  failed: "Ended by an error",
};
const TOGGLES = { choosing: "Pause", training: "Pause", pausing: "Pause", paused: "Go on", failed: "Try again" };

let studio;              // what the host told at first: name, board, boards
let curves = new Map();  // name: list of steps and values
let read = 0;            // bytes of the metrics that are in them
let session = -1;        // of the training, when they were read
let sheets = [];         // steps with a sample sheet
let drawn = -1;          // the one that is shown
let model = null;        // when the file was written that is shown
let fits = false;        // on the board that is chosen
let running = "";        // the job that was under way at the last look
let exported = "";       // what the last export came to, or the model of before

/** Puts the studio on the page, and looks after it from then on. */
export async function begin(told) {
  studio = told;
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "studio.css" });
  const loaded = new Promise((done) => { style.onload = style.onerror = done; });
  document.head.append(style);
  const [markup] = await Promise.all([get("studio.html").then((answer) => answer.text()), loaded]);
  document.querySelector("main").before(document.createRange().createContextualFragment(markup));
  document.title = `${studio.name} · edgegen studio`;
  document.querySelector("h1").textContent = `edgegen studio: ${studio.name}`;
  document.querySelector("header p").textContent =
    "A training on this computer, and its model on the panels of boards. Closing this page does not end it.";
  $("board").replaceChildren(...studio.boards.map(({ name, title }) => new Option(`${name}: ${title}`, name)));
  $("board").value = studio.board;
  fillBoardPanels();
  // Until there is a model to show on it.
  document.querySelector("main").hidden = true;

  onPress("toggle", () => act($("toggle").dataset.act, "run-notice"));
  onPress("export", () => act(`export?${new URLSearchParams({ codes: $("codes").value })}`, "ship-notice"));
  onPress("flash", () => {
    const chosen = new URLSearchParams({ board: $("board").value, panel: $("board-panel").value });
    act(`flash?${chosen}`, "ship-notice");
  });
  $("board").addEventListener("change", () => { fillBoardPanels(); chooseBoardPanel(); showFit(); });
  $("board-panel").addEventListener("change", chooseBoardPanel);
  $("sheet-step").addEventListener("input", showSheet);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  await look();
  turn();
}

function turn() {
  setTimeout(() => look().finally(turn), document.hidden ? SELDOM : OFTEN);
}

async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

/** Asks the host to do something; what it refuses is shown. */
async function act(what, where) {
  try {
    const answer = await fetch(`studio/${what}`, { method: "POST" });
    tell(where, answer.ok ? "" : await answer.text());
  } catch {
    lost();
  }
  await look();
}

/** Shows how everything stands. */
async function look() {
  let state;
  try {
    state = await (await get("studio/state")).json();
    await readMetrics(state.training);
  } catch {
    return lost();
  }
  showTraining(state.training);
  showJob(state.job, state.training);
  if (state.model !== model) await showModel(state.model);
  return null;
}

function lost() {
  say("phase", "The host has ended: start `edgegen play --train` again, and open the address that it prints");
  for (const id of ["toggle", "export", "flash"]) enable(id, false);
}

// ---- The training.

function showTraining({ phase, step, steps, seconds_left: left, error, advice, lines, samples, has_weights: weighs }) {
  const begun = step > 0 || phase !== "paused";
  say("phase", begun ? PHASES[phase] : "Not begun");
  document.body.dataset.phase = phase;
  $("progress").max = steps ?? 1;
  $("progress").value = step;
  const told = [`step ${grouped(step)}${steps ? ` of ${grouped(steps)}` : ""}`];
  if (left !== null) told.push(`${time(left)} left`);
  if (phase === "choosing") told.splice(0, 1, lines.at(-1) ?? "looking at the pictures");
  if (phase === "done") told.push("more steps in the recipe let it go on");
  say("steps", told.join(" · "));
  const toggle = TOGGLES[phase] ?? "Go on";
  enable("toggle", phase !== "pausing" && phase !== "done");
  $("toggle").dataset.act = toggle === "Pause" ? "pause" : "resume";
  say("toggle", begun ? toggle : "Begin");
  $("report").hidden = step === 0;
  const warning = lines.findLast((line) => line.startsWith("warning"));
  if (error ?? advice ?? warning) tell("run-notice", error ?? advice ?? warning);
  else if (phase === "training") tell("run-notice", "");
  say("said", lines.join("\n"));

  const isLast = Number($("sheet-step").value) === sheets.length - 1 || sheets.length === 0;
  sheets = samples;
  $("sheet-step").max = Math.max(sheets.length - 1, 0);
  if (isLast) $("sheet-step").value = $("sheet-step").max;
  showSheet();
  $("export").dataset.weighs = weighs ? "yes" : "no";
}

async function readMetrics({ metrics, sessions }) {
  if (metrics < read || sessions !== session) [curves, read, session] = [new Map(), 0, sessions];
  if (metrics === read) return;
  const bytes = await (await get(`studio/metrics?from=${read}`)).arrayBuffer();
  read += bytes.byteLength;
  for (const line of new TextDecoder().decode(bytes).split("\n").filter(Boolean)) {
    const { step, ...values } = JSON.parse(line);
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== "number") continue;
      if (!curves.has(name)) curves.set(name, []);
      curves.get(name).push([step, value]);
    }
  }
  $("charts-hint").hidden = curves.size > 0;
  $("charts").replaceChildren(...charts(curves));
}

/** The sheet that the slider is at. */
async function showSheet() {
  const step = sheets[Number($("sheet-step").value)];
  $("scrub").hidden = $("sheet").hidden = sheets.length === 0;
  $("samples-hint").hidden = sheets.length > 0;
  if (step === undefined || step === drawn) return;
  drawn = step;
  say("sheet-name", `step ${grouped(step)}`);
  $("sheet-step").setAttribute("aria-valuetext", `step ${step}`);
  try {
    const picture = await (await get(`studio/samples/${step}.png`)).blob();
    // The slider may be elsewhere by now.
    if (drawn !== step) return;
    URL.revokeObjectURL($("sheet").src);
    $("sheet").src = URL.createObjectURL(picture);
    $("sheet").alt = `Samples after step ${step}`;
  } catch {
    drawn = -1;
  }
}

// ---- The model, and its board.

function showJob(job, { phase }) {
  const what = job?.is_running ? job.what : "";
  const begun = running !== what;
  running = what;
  enable("export", what === "" && $("export").dataset.weighs === "yes");
  enable("flash", what === "" && fits);
  if (job?.what === "export" && job.value) exported = exportText(job.value);
  if (what === "export") say("exported", "Exporting: a few hundred images set the ranges");
  else if ($("export").dataset.weighs !== "yes") say("exported", "There are weights after the first checkpoint.");
  else say("exported", exported || (phase === "training" ? "The weights of the last checkpoint; pause for those of now." : ""));
  if (job?.what === "flash") {
    const said = job.lines.at(-1) ?? "looking for the board";
    say("flashed", what ? `${said} · ${time(job.seconds)} so far` : job.value?.text ?? "");
  } else if (!what) {
    say("flashed", "Where no board is connected, it becomes a file in the run folder.");
  }
  if (begun || job?.error) tell("ship-notice", job?.error ?? "");
}

function exportText({ codes, flash, ram, psnr_db: near, is_poor: isPoor, worst }) {
  const bits = codes === "int16" ? 16 : 8;
  const text = `With ${bits} bits: ${kilobytes(flash)} of flash, ${kilobytes(ram)} of RAM; ` +
    `${near.toFixed(1)} dB PSNR against the float network`;
  if (!isPoor) return `${text}.`;
  return `${text}: less than it should be, most is lost in ${worst}${bits === 8 ? "; try 16 bits" : ""}.`;
}

async function showModel(written) {
  model = written;
  if (written === null) return;
  try {
    const offer = await (await get("studio/model")).json();
    document.querySelector("main").hidden = false;
    await offerModel(offer);
    exported ||= `${kilobytes(offer.portable[0])} of flash, ${kilobytes(offer.portable[1])} of RAM.`;
    chooseBoardPanel();
    await showFit();
  } catch (error) {
    tell("ship-notice", error.message);
  }
}

/** Its panels are called as in board.toml, `panel`. */
function chosenBoard() {
  return studio.boards.find(({ name }) => name === $("board").value);
}

function fillBoardPanels() {
  $("board-panel").replaceChildren(...chosenBoard().panel.map(({ name, title }) => new Option(title, name)));
}

/** The chosen panel of the board, on the canvas. */
function chooseBoardPanel() {
  if (model === null) return;
  const panel = chosenBoard().panel.find(({ name }) => name === $("board-panel").value);
  offerPanel({ ...panel, name: "board", board: chosenBoard().name });
}

async function showFit() {
  fits = false;
  if (model === null) return;
  const board = $("board").value;
  try {
    const { fit, verdict, time: takes } = await (await get(`studio/fit?${new URLSearchParams({ board })}`)).json();
    // Another one was chosen meanwhile.
    if ($("board").value !== board) return;
    ({ fits } = fit);
    const memory = ([needed, room], what) => `${thousands(needed)} of ${thousands(room)} KB of ${what}`;
    const told = fits
      ? `It fits: ${memory(fit.flash, "flash")}, ${memory(fit.ram, "RAM")}`
      : `It does not fit: ${[verdict, ...fit.advice].join("; ")}`;
    say("fit", fits && fit.milliseconds !== null ? `${told}; an image takes ${takes}.` : `${told}.`);
  } catch (error) {
    say("fit", error.message);
  }
  $("fit").className = fits ? "hint" : "hint bad";
  enable("flash", running === "" && fits);
}

// ---- What is said.

/** A button that can do nothing now keeps the focus, and says so. */
function enable(id, isEnabled) {
  $(id).setAttribute("aria-disabled", String(!isEnabled));
}

function onPress(id, what) {
  $(id).addEventListener("click", () => { if ($(id).getAttribute("aria-disabled") !== "true") what(); });
}

/** Only where it changes, so that it is not read out again. */
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function tell(id, reason) {
  say(id, reason);
  $(id).hidden = !reason;
}

function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function time(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${twoDigits(seconds / 3600)} h`;
}
