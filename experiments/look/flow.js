// One flow in words, tables and equations.
const KINDS = ["text", "image", "3D scene"];
const COMMON = { D: ["data", "Mbit"], C: ["work", "TFLOP"], p: ["priority", ""], T_req: ["deadline", "s"],
  F_avail: ["free_compute", "TFLOP/s"], load: ["load", ""] };
const pretty = (name) => name.replace(/_(\w+)/, "<sub>$1</sub>");
const L = about.levels.length;

function drawFlow(f) {
  const k = value("action", f), at = status(f, k);
  document.getElementById("which-flow").textContent = `Flow ${f}`;
  const items = [
    ["arrives", `${say("time", f)} s, workshop ${value("workshop", f)}${about.synthetic ? `, ${KINDS[value("kind", f)]}` : ""}`],
    ["data size D", `${say("data", f)} Mbit`], ["workload C", `${say("work", f)} TFLOP`],
    ["priority p", `${say("priority", f)}, weight ${weightOf(f)}`], ["deadline T<sub>req</sub>", `${say("deadline", f)} s`],
    ["bandwidth b", `${say("bandwidth", f)} Mbit/s`],
    ["action", `gateway ${gatewayOf(k)}, level ${k % L}`],
    ["result", `T<sub>act</sub> = <span id="t-act">${say("delay", f, k)}</span> s, ${STATUS[at]}; reward
      ${signed(say("reward", f, k))}`],
  ];
  document.getElementById("flow").innerHTML = items.map(([name, text], n) =>
    `<div${n === items.length - 1 ? ` class="verdict v${at}"` : ""}><dt>${name}</dt><dd>${text}</dd></div>`).join("");
}

// A number that enters the network, on a ground that shows its sign and size.
function entry(f, place) {
  const v = value("state", f, place), colour = v < 0 ? "--late" : "--l1";
  const strength = Math.min(55, Math.abs(v) * 14).toFixed(0);
  return `<td class="tint" style="background:color-mix(in srgb, var(${colour}) ${strength}%, transparent)">${say("state", f, place)}</td>`;
}

function drawState(f) {
  const { common, gateway } = about.entries;
  document.getElementById("state").innerHTML = `<thead><tr><th>entry</th><th>number</th><th>enters as</th></tr></thead><tbody>${
    common.map(([name, place]) => `<tr><td>${pretty(name)}</td><td>${name in COMMON ? `${say(COMMON[name][0], f)} ${
      COMMON[name][1]}` : ""}</td>${entry(f, place)}</tr>`).join("")}</tbody>`;
  const own = about.network === "mlp"
    ? `<th>Q, Mbit</th><th>enters as</th><th>R<sub>avail</sub>, Mbit/s</th><th>enters as</th>`
    : gateway.map(([name]) => `<th>${pretty(name)}</th>`).join("");
  const known = about.network === "mlp" ? ["backlog", "available"] : [];
  const cells = (g) => gateway.map(([, places], n) => (known[n] ? `<td>${say(known[n], f, g)}</td>` : "") + entry(f, places[g])).join("");
  document.getElementById("gateways").innerHTML = `<thead><tr><th>gateway</th>${own}</tr></thead><tbody>${
    about.capacity.map((_, g) => `<tr><td>${g}</td>${cells(g)}</tr>`).join("")}</tbody>`;
}

function drawOthers(f, looked) {
  const names = [`${about.agent}, this agent`, ...about.rules.map((name) => name.replace(" (knows the model)", ""))];
  document.getElementById("others").innerHTML = `<thead><tr><th>decided by</th><th>gateway</th><th>level</th>
    <th>T<sub>act</sub>, s</th><th>reward</th></tr></thead><tbody>${whoChose(f).map((k, n) => {
    const at = status(f, k);
    return `<tr data-action="${k}"${k === looked ? ' class="looked-at"' : ""}><td><button type="button"><b>${LETTERS[n]}</b>${
      names[n]}</button></td><td>${gatewayOf(k)}</td><td>${k % L}</td><td>${say("delay", f, k)}<small class="c${at}">${
      STATUS[at]}</small></td><td>${signed(say("reward", f, k))}</td></tr>`;
  }).join("")}</tbody>`;
}

function numbersOf(f, k) {
  const g = gatewayOf(k), level = k % L, at = status(f, k);
  const seen = Object.fromEntries(about.entries.common.map(([name, place]) => [name, say("state", f, place)]));
  const used = row("used", f).map((u, other) => (other === g ? value("used_after", f, k) : u));
  const v = (name, ...place) => value(name, f, ...place), deadline = say("deadline", f), limit = about.max_delay_s;
  const bits = { late: value("late", f, k), short_rate: value("short_rate", f, k), short_compute: value("short_compute", f, k) };
  const terms = [v("transmission", k), v("queueing", g), v("processing", level)], fast = v("propagation", g) / 1e6;
  const whole = (to) => terms.reduce((sum, term) => sum + to(term), fast), { delay_weight: alpha, balance_weight: beta } = about;
  const phi = bits.late + bits.short_rate + bits.short_compute, [ofDelay, is2] = adding([at === 2 ? whole((x) => x) : v("delay", k), whole]);
  const [late, is9] = adding([v("deviation", k), (to) => to(v("delay", k)) - to(v("deadline"))]);
  const [share, isRange] = adding([v("imbalance", k), (to) => to(Math.max(...used)) - to(Math.min(...used))]);
  const [ofCost, isCost] = adding([v("cost", k), (to) => alpha * to(v("deviation", k)) + beta * to(v("imbalance", k))]);
  const [inReward, isReward] = adding([v("reward", k), (to) => -weightOf(f) * (to(v("cost", k)) + about.penalty * phi)]);
  return {
    ...seen, ...bits, phi,
    data: `${say("data", f)} Mbit`, work: `${say("work", f)} TFLOP`, priority: say("priority", f), deadline: `${deadline} s`,
    levels: about.levels.join(", "), action: k, gateway: g, wanted_rate: `${say("wanted_rate", f, level)} Mbit/s`,
    wanted_compute: `${say("wanted_compute", f, level)} TFLOP/s`, eta: about.levels[level], fraction: about.compute_fraction,
    bandwidth: `${say("bandwidth", f)} Mbit/s`, available: `${say("available", f, g)} Mbit/s`, rate: `${say("rate", f, k)} Mbit/s`,
    free_compute: `${say("free_compute", f)} TFLOP/s`, compute: `${say("compute", f, level)} TFLOP/s`,
    backlog: `${say("backlog", f, g)} Mbit`, transmission: `${ofDelay(terms[0])} s`, queueing: `${ofDelay(terms[1])} s`,
    processing: `${ofDelay(terms[2])} s`, transmission_bare: ofDelay(terms[0]), queueing_bare: ofDelay(terms[1]),
    propagation: `${say("propagation", f, g)} µs`, total: at === 2 ? `> ${limit} s, counts as ${limit} s` : `${is2} ${say("delay", f, k)} s`,
    deadline_test: `${say("delay", f, k)} s ${bits.late ? ">" : "≤"} ${deadline} s: ${STATUS[at]}`,
    delay_bare: late(v("delay", k)), deadline_bare: late(v("deadline")), deviation: `${is9} ${say("deviation", f, k)} s`,
    most_used: share(Math.max(...used)), least_used: share(Math.min(...used)), imbalance: `${isRange} ${say("imbalance", f, k)}`,
    alpha, deviation_bare: ofCost(v("deviation", k)), beta, imbalance_bare: ofCost(v("imbalance", k)),
    cost: `${isCost} ${say("cost", f, k)}`, weight: weightOf(f), cost_bare: inReward(v("cost", k)), kappa: about.penalty,
    reward: `${isReward} ${say("reward", f, k)}`,
  };
}

function drawEquations(f, k) {
  const numbers = numbersOf(f, k);
  for (const place of document.querySelectorAll("[data-n]")) place.textContent = numbers[place.dataset.n];
  document.getElementById("action").value = k;
  document.getElementById("chosen-by").textContent = `chosen by ${lettersOf(f, k) || "none"}`;
}
