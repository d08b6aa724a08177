// Curves over the steps of a training, as SVG: means of equal parts of the run.

const [WIDTH, HEIGHT, LEFT, BELOW, ABOVE] = [400, 180, 52, 24, 8];
const PARTS = 200;
/** Steps whose mean the legend tells. */
const RECENT = 100;

/** What stands in one chart; all else has one of its own, but for the rates, which seldom change. */
const TOGETHER = [
  ["Losses", ["critic", "generator"]],
  ["Scores of the critic", ["score_fake", "score_real"]],
  ["Fréchet distance", ["frechet", "frechet_real"]],
  ["Precision and recall", ["precision", "recall"]],
  ["Sliced Wasserstein distance", ["sliced", "sliced_real"]],
];

/** The figures for curves: a map from their names to lists of steps and values. */
export function charts(curves) {
  const names = [...curves.keys()].filter((name) => !name.startsWith("lr_"));
  const grouped = TOGETHER.map(([title, of]) => [title, names.filter((name) => of.includes(name))]);
  const alone = names.filter((name) => !TOGETHER.some(([, of]) => of.includes(name)));
  const all = [...grouped, ...alone.map((name) => [words(name), [name]])];
  return all.filter(([, of]) => of.length > 0).map(([title, of]) => figure(title, of, curves));
}

function figure(title, names, curves) {
  const last = Math.max(...names.map((name) => curves.get(name).at(-1)[0]));
  const lines = names.map((name) => means(curves.get(name), last));
  const [low, high] = range(lines.flat().map(([, value]) => value));
  const x = (step) => LEFT + ((WIDTH - LEFT - 4) * step) / last;
  const y = (value) => ABOVE + ((HEIGHT - ABOVE - BELOW) * (high - value)) / (high - low);
  const legend = names.map((name) => [name, recent(curves.get(name), last)]);
  const chart = element("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  chart.setAttribute("aria-label", `${title} up to step ${last}: ${legend.map((pair) => pair.join(" ")).join(", ")}`);
  for (const value of ticks(low, high)) {
    chart.append(
      element("line", { class: "rule", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
      element("text", { class: "end", x: LEFT - 6, y: y(value) + 4 }, short(value)),
    );
  }
  chart.append(
    element("text", { x: LEFT, y: HEIGHT - 6 }, "step 0"),
    element("text", { class: "end", x: WIDTH, y: HEIGHT - 6 }, last),
  );
  lines.forEach((line, index) => {
    const points = line.map(([step, value]) => `${x(step).toFixed(1)},${y(clamp(value, low, high)).toFixed(1)}`);
    chart.append(element("polyline", { class: `curve c${index % 4}`, points: points.join(" ") }));
  });
  const caption = Object.assign(document.createElement("figcaption"), { textContent: title });
  const list = Object.assign(document.createElement("ul"), { className: "legend" });
  list.append(...legend.map(([name, value], index) => {
    const item = document.createElement("li");
    const swatch = element("svg", { class: "swatch", viewBox: "0 0 28 8", "aria-hidden": "true" });
    swatch.append(element("line", { class: `c${index % 4}`, x1: 0, x2: 28, y1: 4, y2: 4 }));
    item.append(swatch, ` ${words(name)} ${value}`);
    return item;
  }));
  const whole = document.createElement("figure");
  whole.append(caption, chart, list);
  return whole;
}

/** Means of equal parts of the steps up to the last. */
function means(points, last) {
  const sums = new Map();
  for (const [step, value] of points) {
    const part = Math.floor(((step - 1) * PARTS) / last);
    const [steps, values, count] = sums.get(part) ?? [0, 0, 0];
    sums.set(part, [steps + step, values + value, count + 1]);
  }
  return [...sums.values()].map(([steps, values, count]) => [steps / count, values / count]);
}

function recent(points, last) {
  const values = points.filter(([step]) => step > last - RECENT).map(([, value]) => value);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return short(values.length ? mean : points.at(-1)[1]);
}

/** What the axis shows: all but the outermost hundredth at either end. */
function range(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high] = [at(0.01), at(0.99)];
  const margin = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}

/** Three to six round values between two. */
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step);
}

function short(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(1) : String(+value.toPrecision(3));
  return text.replace("-", "−");
}

function words(name) {
  return name.replaceAll("_", " ");
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
