// What is chosen: a flow, a noise draw, an action to look at; and how it is chosen.
const MEAN = -1;
const part = Object.fromEntries(["overview", "strip", "slider", "figure", "readout", "others", "action", "play", "inside"]
  .map((id) => [id, document.getElementById(id)]));
let chosen = 0, draw = MEAN, looked = 0, span = 1, player = 0, settled = 0, width = 0;

function shownWindow() {
  const from = Math.max(0, Math.min(length() - span, times[chosen] - span / 2));
  return [from, from + span];
}

function drawEpisode() {
  drawStrip(part.strip, chosen, shownWindow());
  moveWindow(part.overview, shownWindow());
}

function look(k) {
  looked = k;
  drawFigure(part.figure, chosen, draw, looked);
  part.readout.innerHTML = readout(chosen, draw, looked);
  const own = value("action", chosen);
  drawPair(chosen, own, looked === own ? whoChose(chosen)[LETTERS.indexOf("G")] : looked);
  drawOthers(chosen, looked);
  drawEquations(chosen, looked);
}

function choose(f) {
  chosen = Math.max(0, Math.min(F - 1, f));
  if (!width) return; // the page has no size yet, as in a tab that was not looked at
  const k = value("action", chosen);
  part.slider.value = chosen;
  part.slider.setAttribute("aria-valuetext",
    `flow ${chosen} at ${say("time", chosen)} s, gateway ${gatewayOf(k)}, ${STATUS[outcome(chosen)]}`);
  drawEpisode();
  drawFlow(chosen);
  drawState(chosen);
  look(k);
  clearTimeout(settled);
  settled = setTimeout(() => history.replaceState(null, "", `#flow=${chosen}`), 400);
}

function nextMiss() {
  for (let k = 1; k <= F; k++) if (outcome((chosen + k) % F)) return choose((chosen + k) % F);
}

function play(on) {
  if (on && chosen === F - 1) choose(0);
  clearInterval(player);
  player = on ? setInterval(() => (chosen < F - 1 ? choose(chosen + 1) : play(false)), 250) : 0;
  part.play.textContent = on ? "❚❚" : "▶";
  part.play.setAttribute("aria-pressed", on);
  part.play.setAttribute("aria-label", on ? "Pause" : "Play the episode");
}

function zoom(factor) {
  span = Math.max(Math.min(0.1, length()), Math.min(length(), span * factor));
  drawEpisode();
}

function chooseDraw(m) {
  draw = m;
  part.figure.classList.remove("run");
  void part.figure.offsetWidth; // so that the animation starts anew
  part.figure.classList.add("run");
  setTimeout(() => part.figure.classList.remove("run"), 130 * (about.steps.length + 8));
  look(looked);
}

function words() {
  const takes = `c is what an action takes from later flows: crowding in Mbit, times the recent load, over the mean size of data, ${
    print(about.mean_data, 3)} Mbit.`;
  const { agent, steps } = about, critics = kept.values.shape[1], draws = kept.draws.shape[1];
  document.getElementById("summary").textContent = `${agent}${about.network === "mlp" ? "" : `, network ${about.network}`}, ${
    about.epoch} epochs (${about.run}). Held-out traffic, ${about.traffic}: ${about.cut ? "the first " : ""}${F.toLocaleString("en")} flows, ${about.score}.`;
  document.getElementById("figure-title").textContent = steps.length ? "From noise to a decision" : "The decision";
  const chain = steps.length
    ? `The chain turns noise a<sub>${steps[0]}</sub> and the state into the logits a<sub>0</sub>; softmax makes the policy π of
       them. Each row of the chain has its own scale; its largest entry stands at the right, as for π. One draw is random, so the policy is
       the mean of ${about.eval_draws} draws, and its most likely action is taken.${
       draws < about.eval_draws ? ` This file holds the chain of the first ${draws}.` : ""}`
    : `${agent} has no diffusion chain, so none is shown.`;
  const values = critics === 2 ? "Q: a dot for the smaller of both critics, a line to the other."
    : critics ? "Q: the values of the target network." : `${agent} has no critic with a value for every action, so none is shown.`;
  document.getElementById("chain-words").innerHTML = `${chain} ${values} T<sub>act</sub> and r: what every action would lead to;
    dashed: the deadline.`;
  document.getElementById("state-words").innerHTML = about.network === "mlp"
    ? "Eq. 11, each number centred and scaled before it enters." : `The state for shared networks: r is the reward of a level (${
    about.levels.join(", ")}); ${takes}`;
  document.getElementById("pair-words").innerHTML = `The choice of the agent (A), and what one-step greedy would do (G), or the action
    that you click. ${priced() ? `The value V of the state and the price p, one for all states, are learned; r and c are known. ${
    takes} p is the reward that later flows lose for each 1 of c.` : ""}`;
  document.querySelectorAll(".eta").forEach((e, n) => (e.textContent = about.levels[n]));
  document.getElementById("draws").innerHTML = draws ? [`mean of ${about.eval_draws}`,
    ...Array.from({ length: draws }, (_, m) => `draw ${m + 1}`)].map((text, m) => `<label><input type="radio" name="draw" value="${
    m - 1}"${m - 1 === draw ? " checked" : ""}>${text}</label>`).join("") : "";
  part.action.innerHTML = about.capacity.map((_, g) => `<optgroup label="gateway ${g}">${about.levels.map((eta, level) =>
    `<option value="${g * L + level}">${nameOf(g * L + level)}</option>`).join("")}</optgroup>`).join("");
}

function listen() {
  const on = (id, event, act) => document.getElementById(id).addEventListener(event, act);
  on("slider", "input", () => choose(+part.slider.value));
  on("play", "click", () => play(!player));
  on("before", "click", () => choose(chosen - 1));
  on("after", "click", () => choose(chosen + 1));
  on("miss", "click", nextMiss);
  on("closer", "click", () => zoom(0.5));
  on("wider", "click", () => zoom(2));
  on("action", "change", () => look(+part.action.value));
  on("draws", "change", (event) => chooseDraw(+event.target.value));
  on("strip", "click", (event) => {
    const mark = event.target.closest("[data-flow]");
    if (mark) choose(+mark.dataset.flow);
  });
  on("overview", "click", (event) => {
    const box = part.overview.getBoundingClientRect(), left = gutter(box.width);
    const t = ((event.clientX - box.left - left) / (box.width - left)) * length();
    choose(Math.max(0, times.findLastIndex((time) => time <= t)));
  });
  for (const id of ["figure", "others"]) on(id, "click", (event) => {
    const column = event.target.closest("[data-action]");
    if (column) look(+column.dataset.action);
  });
  on("figure", "mousemove", (event) => {
    const column = event.target.closest("[data-action]");
    if (column) part.readout.innerHTML = readout(chosen, draw, +column.dataset.action);
  });
  on("figure", "mouseleave", () => (part.readout.innerHTML = readout(chosen, draw, looked)));
  addEventListener("hashchange", fromAddress);
  document.addEventListener("keydown", keys);
  new ResizeObserver(() => {
    const now = part.strip.clientWidth;
    if (!now || now === width) return;
    if (!width) span = Math.min(length(), ((now - GUTTER) / 8 / F) * length()); // 8 pixels for a flow
    width = now;
    drawOverview(part.overview);
    choose(chosen);
  }).observe(part.strip);
}

function keys(event) {
  const own = event.target.closest("select, input:not(#slider)"), step = event.shiftKey ? 10 : 1;
  if (own || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") choose(chosen + (event.key === "ArrowRight" ? step : -step));
  else if (event.key === "Enter" && !event.target.closest("button, a")) part.inside.focus();
  else if (event.key === "Escape") part.slider.focus();
  else return;
  event.preventDefault();
}

function fromAddress() {
  const found = /^#flow=(\d+)$/.exec(location.hash);
  if (found) choose(+found[1]);
}

readNumbers().then(() => {
  prepareStrip();
  part.slider.max = F - 1;
  draw = kept.draws.shape[1] ? 0 : MEAN;
  words();
  listen();
  fromAddress();
}).catch((error) => {
  document.getElementById("summary").textContent = `This page needs a browser of 2023 or later (${error.message}).`;
  throw error;
});
