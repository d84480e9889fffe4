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
    ["priority p", say("priority", f)], ["deadline T<sub>req</sub>", `${say("deadline", f)} s`],
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

// What critics with prices say of an action: the parts of its value.
function drawPrices(f, k) {
  const { levels, held } = about.entries, level = k % L, priced = kept.prices.shape[1] > 0;
  const of = (n) => say("state", f, levels[level][n][gatewayOf(k)]); // the reward, then what is held
  const pairs = held.map(([name]) => [pretty(`p_${name.replace("h_", "")}`), pretty(name)]);
  document.getElementById("price-words").innerHTML = priced ? `In Q = V + r − ${pairs.map((pair) => pair.join(" ")).join(" − ")},
    the value V of the state and the prices p are learned; the reward r and what the action takes are known. For gateway ${
    gatewayOf(k)}, level ${level}:` : "";
  const critic = (c) => [say("prices", f, c, 0), of(0), ...held.flatMap((_, n) => [say("prices", f, c, n + 1), of(n + 1)]),
    say("values", f, c, k)];
  document.getElementById("prices").innerHTML = !priced ? "" : `<thead><tr><th></th>${["V", "r", ...pairs.flat(), "Q"].map((name) =>
    `<th>${name}</th>`).join("")}</tr></thead><tbody>${Array.from({ length: kept.prices.shape[1] }, (_, c) => `<tr><td>Q<sub>${
    c + 1}</sub></td>${critic(c).map((x) => `<td>${x}</td>`).join("")}</tr>`).join("")}</tbody>`;
}

function numbersOf(f, k) {
  const g = gatewayOf(k), level = k % L, at = status(f, k);
  const seen = Object.fromEntries(about.entries.common.map(([name, place]) => [name, say("state", f, place)]));
  const used = row("used", f).map((u, other) => (other === g ? value("used_after", f, k) : u));
  const weight = about.priority_weights[value("priority", f) - 1], deadline = say("deadline", f);
  const bits = { late: value("late", f, k), short_rate: value("short_rate", f, k), short_compute: value("short_compute", f, k) };
  const limit = about.max_delay_s;
  return {
    ...seen, ...bits, phi: bits.late + bits.short_rate + bits.short_compute,
    data: `${say("data", f)} Mbit`, work: `${say("work", f)} TFLOP`, priority: say("priority", f), deadline: `${deadline} s`,
    levels: about.levels.join(", "), action: k, gateway: g, wanted_rate: `${say("wanted_rate", f, level)} Mbit/s`,
    wanted_compute: `${say("wanted_compute", f, level)} TFLOP/s`, eta: about.levels[level], fraction: about.compute_fraction,
    bandwidth: `${say("bandwidth", f)} Mbit/s`, available: `${say("available", f, g)} Mbit/s`, rate: `${say("rate", f, k)} Mbit/s`,
    free_compute: `${say("free_compute", f)} TFLOP/s`, compute: `${say("compute", f, level)} TFLOP/s`,
    backlog: `${say("backlog", f, g)} Mbit`, transmission: `${say("transmission", f, k)} s`, queueing: `${say("queueing", f, g)} s`,
    processing: `${say("processing", f, level)} s`, transmission_bare: say("transmission", f, k),
    queueing_bare: say("queueing", f, g),
    propagation: `${say("propagation", f, g)} µs`,
    total: at === 2 ? `> ${limit} s, counts as ${limit} s` : `= ${say("delay", f, k)} s`,
    deadline_test: `${say("delay", f, k)} s ${bits.late ? ">" : "≤"} ${deadline} s: ${STATUS[at]}`,
    delay_bare: say("delay", f, k), deadline_bare: deadline, deviation: `${say("deviation", f, k)} s`,
    deviation_bare: say("deviation", f, k), most_used: print(Math.max(...used), 3), least_used: print(Math.min(...used), 3),
    imbalance: say("imbalance", f, k), alpha: about.delay_weight, beta: about.balance_weight, kappa: about.penalty,
    weight: weight === 1 ? "" : `· ${weight}`, weight_letter: about.priority_weights.every((w) => w === 1) ? "" : "w",
    cost: say("cost", f, k), reward: say("reward", f, k),
  };
}

function drawEquations(f, k) {
  const numbers = numbersOf(f, k);
  for (const place of document.querySelectorAll("[data-n]")) place.textContent = numbers[place.dataset.n];
  document.getElementById("action").value = k;
  const who = whoChose(f).map((other, n) => (other === k ? LETTERS[n] : "")).filter(Boolean);
  document.getElementById("chosen-by").textContent = who.length ? `chosen by ${who.join(", ")}` : "chosen by none";
}
