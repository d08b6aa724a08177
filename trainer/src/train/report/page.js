const slider = document.getElementById("scrub"), label = document.getElementById("step"), play = document.getElementById("play");
const sheets = [...document.querySelectorAll(".sheets img")];
const show = () => {
  sheets.forEach((sheet, index) => { sheet.hidden = index !== slider.valueAsNumber; });
  label.textContent = sheets[slider.valueAsNumber].dataset.step;
  slider.setAttribute("aria-valuetext", label.textContent);
};
let timer = 0;
const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
play.addEventListener("click", () => {
  if (timer) { stop(); return; }
  play.textContent = "Stop";
  if (slider.value === slider.max) { slider.value = 0; show(); }
  timer = setInterval(() => { slider.stepUp(); show(); if (slider.value === slider.max) { stop(); } }, 300);
});
slider.addEventListener("input", () => { stop(); show(); });
show();
