// The program, src/lib.rs: loads it, and reads what it leaves in its memory.

const FACTS = ["height", "width", "channels", "dims", "steps", "least", "classes", "keyframes", "arena",
  "fedHeight", "fedWidth", "fedChannels"];

const decoder = new TextDecoder();

/** What the module exports. */
export let program;
/** What the model is; empty while there is none. */
export let facts = {};

/** Loads the program; `log` takes what it tells. */
export async function load(module, log) {
  const page = { ticks: () => (performance.now() * 1000) >>> 0, line: (at, length) => log(text(at, length)) };
  program = (await WebAssembly.instantiate(module, { page })).instance.exports;
}

/** Forgets the model; the program keeps its own until it is given another. */
export function dropModel() {
  facts = {};
}

/** Hands a model file to the program: what is wrong with it, or nothing. */
export function putModel(bytes) {
  facts = {};
  const at = program.file(bytes.length);
  if (at !== 0) bytesAt(at, bytes.length).set(bytes);
  const isTaken = at !== 0 && program.load(bytes.length) === 1;
  const told = text(program.text(), program.text_len());
  if (!isTaken) return told;
  const words = new Int32Array(program.memory.buffer, program.facts(), FACTS.length);
  facts = Object.fromEntries(FACTS.map((name, index) => [name, words[index]]));
  Object.assign(facts, { ready: true, name: told });
  return null;
}

/** The latent vector that was filled last. */
export function codes() {
  return new Int8Array(program.memory.buffer, program.codes(), facts.dims);
}

export function bytesAt(at, length) {
  return new Uint8Array(program.memory.buffer, at, length);
}

function text(at, length) {
  return decoder.decode(bytesAt(at, length));
}
