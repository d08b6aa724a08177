// The speaker of the board: takes samples from the program, and plays them a piece at a time, each right behind the one
// before.

/** Seconds that are handed to the browser before they are due: a show's picture must not be far behind its sound. */
const AHEAD = 0.15;
/** Seconds from a still image's sample to its sound. */
const SOON = 0.02;

let context;      // while sounds are to be heard
let rate = 0;     // samples a second
let waiting = []; // samples that the program has handed over
let room = 0;     // how many it may at most
let end = 0;      // when all that was handed to the browser will have been played
let playing = new Set();

/** Whether sounds are to be heard. */
export function isOn() {
  return context !== undefined;
}

/** Begins to play samples at a rate; what played before ends. Browsers allow it where a person has asked for it. */
export function turnOn(samplesPerSecond) {
  if (context && rate === samplesPerSecond) return;
  turnOff();
  rate = samplesPerSecond;
  try {
    // At the rate of the model, so that pieces fit together to the sample.
    context = new AudioContext({ sampleRate: rate });
  } catch {
    context = new AudioContext();
  }
}

export function turnOff() {
  hush();
  context?.close();
  context = undefined;
}

/** Ends what plays, at once. */
export function hush() {
  for (const source of playing) source.stop();
  playing = new Set();
  [waiting, room, end] = [[], 0, 0];
}

/** The next sample, −32767 to 32767; 1 if there is room for it, else 0. */
export function takeSample(value) {
  if (waiting.length >= room) return 0;
  waiting.push(value / 32768);
  return 1;
}

/** Has room for what lasts until the next turn of the screen, and some more, while `make` asks for it; and plays it. */
export function during(make) {
  if (!context) return make();
  const now = context.currentTime;
  room = Math.max(0, Math.ceil((AHEAD - Math.max(end - now, 0)) * rate));
  const made = make();
  play(Math.max(end, now));
  return made;
}

/** Plays all that `make` makes, at once, in place of what plays. */
export function atOnce(make) {
  if (!context) return make();
  hush();
  room = Infinity;
  const made = make();
  play(context.currentTime + SOON);
  return made;
}

function play(at) {
  room = 0;
  if (waiting.length === 0) return;
  const piece = context.createBuffer(1, waiting.length, rate);
  piece.copyToChannel(Float32Array.from(waiting), 0);
  const source = new AudioBufferSourceNode(context, { buffer: piece });
  source.connect(context.destination);
  source.addEventListener("ended", () => playing.delete(source));
  source.start(at);
  playing.add(source);
  end = at + waiting.length / rate;
  waiting = [];
}
