// Why: the chosen action beside another one, row by row, and in words.
const nameOf = (k) => `gateway ${gatewayOf(k)}, level ${k % L}`, weightOf = (f) => about.priority_weights[value("priority", f) - 1];
const lettersOf = (f, k) => whoChose(f).map((other, n) => (other === k ? LETTERS[n] : "")).filter(Boolean).join(", ");
const critics = () => [...Array(kept.values.shape[1]).keys()], priced = () => kept.prices.shape[1] > 0;
const taken = (f, k) => value("state", f, about.entries.levels[k % L][1][gatewayOf(k)]);
const holding = (f, k) => `${print(value("rate", f, k), 1)} Mbit/s for ${
  print(value("transmission", f, k) + value("queueing", f, gatewayOf(k)), 3)} s`;
const plain = (x) => print(Math.abs(x), 3), sized = (x) => `${plain(x)} ${x < 0 ? "less" : "more"}`;

function drawPair(f, k, other) {
  const pair = other === k ? [k] : [k, other], asks = (c, n) => value("prices", f, c, n);
  const sums = critics().flatMap((c) => pair.map((a) => [value("values", f, c, a),
    (to) => to(asks(c, 0)) + to(value("reward", f, a)) - to(to(asks(c, 1)) * to(taken(f, a)))]));
  const [part, same, to] = adding(...(priced() ? sums : []));
  const rows = [["T<sub>act</sub>, s", (a) => `${say("delay", f, a)}<small class="c${status(f, a)}">${STATUS[status(f, a)]}</small>`],
    [`reward r<small>priority ${value("priority", f)}, weight ${weightOf(f)}</small>`, (a) => signed(part(value("reward", f, a)))]];
  if (priced()) rows.push(["takes c", (a) => `${part(taken(f, a))}<small>${status(f, a) === 2 ? "holds nothing" : holding(f, a)}</small>`]);
  for (const c of critics()) {
    const n = critics().length > 1 ? `<sub>${c + 1}</sub>` : "";
    if (priced()) rows.push([`value V${n}`, () => part(asks(c, 0))], [`price p${n}`, () => part(asks(c, 1))],
      [`p${n} c<small>cost to later flows</small>`, (a) => part(to(asks(c, 1)) * to(taken(f, a)))]);
    rows.push([priced() ? `Q${n} ${same} V${n} + r − p${n} c` : `value Q${n}`, (a) => say("values", f, c, a)]);
  }
  rows.push(["policy π", (a) => percent("probability", f, a)]);
  document.getElementById("pair").innerHTML = `<thead><tr><th></th>${pair.map((a) =>
    `<th><b>${lettersOf(f, a)}</b> ${nameOf(a)}</th>`).join("")}</tr></thead><tbody>${rows.map(([name, show]) =>
    `<tr><td>${name}</td>${pair.map((a) => `<td>${show(a)}</td>`).join("")}</tr>`).join("")}</tbody>`;
  document.getElementById("why").textContent = reason(f, k, other);
}

// Why k and not the other: what the other would earn and take, and what the critics make of it.
function reason(f, k, other) {
  if (row("dropped", f).every(Boolean)) return `Every action drops this flow: none sends it within ${about.max_delay_s} s.`;
  if (k === other) return "One-step greedy would do the same.";
  const all = critics(), two = all.length > 1, letGo = status(f, k) === 2 && status(f, other) < 2;
  const gaps = all.map((c) => Math.sign(value("values", f, c, k) - value("values", f, c, other)));
  const agreed = gaps.every((gap) => gap === gaps[0]), takes = priced() ? taken(f, other) - taken(f, k) : 0;
  const earns = +value("reward", f, other).toFixed(3) - +value("reward", f, k).toFixed(3);
  const costs = all.map((c) => print(Math.abs(takes) * value("prices", f, c, 1), 3)).join(" or ");
  if (letGo && priced() && agreed && gaps[0] > 0 && earns > 0)
    return `Refused: holding ${holding(f, other)} at ${nameOf(other)} costs later flows more (${costs}, at the ${
      two ? "prices of the two critics" : "price of the critic"}) than the ${plain(earns)} that it earns.`;
  const result = status(f, other) === 2 ? "drop the flow" : `take ${say("delay", f, other)} s (${STATUS[status(f, other)]})`;
  const cost = priced() ? ` It takes ${sized(takes)} from later flows (c), which costs them ${costs} ${takes < 0 ? "less" : "more"} (p c).` : "";
  const verdict = !all.length ? `${about.agent} has no critic that says more; its policy gives ${
    percent("probability", f, other)} against ${percent("probability", f, k)}.`
    : !agreed ? "The critics disagree." : `${two ? "Both critics value" : "The critic values"} ${
      ["it more, but the policy chose otherwise", "both actions alike", "the chosen action more"][gaps[0] + 1]}.`;
  return `${letGo ? "Let go. " : ""}Why not ${nameOf(other)} (${lettersOf(f, other) || "chosen by none"})? It would ${
    result}, and earn ${sized(earns)}.${cost} ${verdict}`;
}
