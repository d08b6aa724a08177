// The program, src/lib.rs: loads it, and reads what it leaves in its memory.

const FACTS = ["height", "width", "channels", "dims", "steps", "least", "classes", "keyframes", "arena",
  "fedHeight", "fedWidth", "fedChannels", "pictures", "styles", "noise", "rate"];
/** Inputs that a class is a combination of, at most: stride and values of each. */
const MOST_PARTS = 16;

const decoder = new TextDecoder();

/** What the module exports. */
export let program;
/** What the model is; empty while there is none. */
export let facts = {};

/** Loads the program; `log` takes what it tells, `sample` the samples of sounds. */
export async function load(module, log, sample) {
  const ticks = () => (performance.now() * 1000) >>> 0;
  const page = { ticks, line: (at, length) => log(text(at, length)), sample };
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
  const numbers = new Int32Array(program.memory.buffer, program.facts(), FACTS.length + 2 * MOST_PARTS);
  facts = Object.fromEntries(FACTS.map((name, index) => [name, numbers[index]]));
  Object.assign(facts, { ready: true, name: told, names: fact(0), parts: parts(numbers.slice(FACTS.length)) });
  if (facts.names.length !== facts.classes || facts.parts.length) facts.names = [];
  return null;
}

/** The lines of what a model says for people. */
function fact(which) {
  const at = program.fact(which);
  return at === 0 ? [] : text(at, program.fact_len()).split("\n");
}

/** The inputs that a class is a combination of: name, stride and words of each; numbers where the model has no words. */
function parts(numbers) {
  const found = [];
  for (let at = 0; numbers[at + 1] > 0; at += 2) found.push({ stride: numbers[at], count: numbers[at + 1] });
  const told = fact(1).map((line) => {
    const [name, words] = [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2).split(", ")];
    return { name, words };
  });
  const isWhole = told.length === found.length && told.every(({ words }, index) => words.length === found[index].count);
  return found.map((part, index) => ({
    ...part,
    ...(isWhole
      ? told[index]
      : { name: `input ${index + 1}`, words: Array.from({ length: part.count }, (_, value) => String(value)) }),
  }));
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
