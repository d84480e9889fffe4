// The figure: one column for every action; below each other the chain, the policy, the critics and what would follow.
const A = about.levels.length * G;
const LETTERS = ["A", "R", "G", "P", "C"]; // the agent, round robin, greedy, prices times load, price of crowding

const whoChose = (f) => [value("action", f), ...row("rules", f)];

// Rows of the figure: their label, their height, what is drawn, and the number at their right.
function figureRows(f, draw) {
  const rows = [];
  const bars = (label, height, numbers, right, low = "") => rows.push({ label, height, right, low, draw: (y, x, w) => {
    const top = Math.max(...numbers, 0), scale = height / (top - Math.min(...numbers, 0) || 1);
    const zero = y + top * scale;
    return `<line class="rule" x1="${x(0)}" x2="${x(A)}" y1="${zero}" y2="${zero}"/>` + numbers.map((v, k) =>
      `<rect class="l${k % about.levels.length}" x="${(x(k) + w * 0.1).toFixed(1)}" width="${(w * 0.8).toFixed(1)}"
        y="${Math.min(zero, zero - v * scale).toFixed(1)}" height="${Math.abs(v * scale).toFixed(1)}"/>`).join("");
  } });
  const shares = (label, height, numbers) => bars(label, height, numbers, `${(100 * Math.max(...numbers)).toFixed(0)} %`);
  if (draw >= 0) {
    about.steps.forEach((i, n) => {
      const a = row("latents", f, n, draw);
      bars(`a|${i}`, 24, a, print(Math.max(...a), 1));
    });
    shares("π|draw", 40, row("draws", f, draw));
  } else if (about.steps.length) {
    for (let m = 0; m < kept.draws.shape[1]; m++) shares(`π|${m + 1}`, 26, row("draws", f, m));
  }
  shares(about.steps.length ? "π|mean" : "π|", 56, row("probability", f));
  if (kept.values.shape[1]) rows.push(criticRow(f));
  rows.push(delayRow(f));
  const r = row("reward", f);
  bars("r|", 52, r, print(Math.max(...r), 2), print(Math.min(...r), 2));
  return rows;
}

function criticRow(f) {
  const each = Array.from({ length: kept.values.shape[1] }, (_, c) => row("values", f, c));
  const every = each.flat(), top = Math.max(...every), low = Math.min(...every);
  return { label: "Q|", height: 56, right: print(top, 2), low: print(low, 2), draw: (y, x, w) => {
    const at = (v) => y + 3 + ((top - v) / (top - low || 1)) * 50;
    return Array.from({ length: A }, (_, k) => {
      const of = each.map((q) => q[k]), middle = (x(k) + w / 2).toFixed(1);
      return `<line class="spread" x1="${middle}" x2="${middle}" y1="${at(Math.max(...of)).toFixed(1)}"
        y2="${at(Math.min(...of)).toFixed(1)}"/><circle class="dot" r="2.6" cx="${middle}"
        cy="${at(Math.min(...of)).toFixed(1)}"/>`;
    }).join("");
  } };
}

function delayRow(f) {
  const limit = about.max_delay_s;
  return { label: "T|act", height: 52, right: `${limit} s`, draw: (y, x, w) => {
    const due = y + 52 * (1 - value("deadline", f) / limit);
    return row("delay", f).map((v, k) => `<rect class="t${status(f, k)}" x="${(x(k) + w * 0.1).toFixed(1)}"
      width="${(w * 0.8).toFixed(1)}" y="${(y + 52 * (1 - v / limit)).toFixed(1)}" height="${(52 * v / limit).toFixed(1)}"/>`)
      .join("") + `<line class="due" x1="${x(0)}" x2="${x(A)}" y1="${due}" y2="${due}"/>`;
  } };
}

function drawFigure(box, f, draw, looked) {
  const width = box.clientWidth, left = 42, right = 38, w = (width - left - right) / A;
  const x = (k) => left + k * w, L = about.levels.length, chosen = value("action", f);
  const rows = figureRows(f, draw);
  let y = 4, body = "";
  rows.forEach(({ label, height, right: number, low, draw: paint }, n) => {
    const [name, index] = label.split("|"), middle = y + height / 2 + 4;
    body += `<g class="row" style="animation-delay:${n * 0.13}s"><text class="strong" x="0" y="${middle}">${name}<tspan
      dy="3" font-size="9" font-weight="400">${index}</tspan></text>${paint(y, x, w)}
      <text x="${width - right + 4}" y="${low ? y + 9 : middle}">${number}</text>
      ${low ? `<text x="${width - right + 4}" y="${y + height}">${low}</text>` : ""}</g>`;
    y += height + 7;
  });
  const bottom = y, stacked = Array(A).fill(0);
  whoChose(f).forEach((k, n) => {
    body += `<g class="badge${n ? "" : " agent"}" transform="translate(${x(k) + w / 2} ${y + 8 + 15 * stacked[k]++})"><circle
      r="6.5"/><text y="3.2">${LETTERS[n]}</text></g>`;
  });
  y += 15 * Math.max(...stacked) + 16;
  for (let g = 0; g < G; g++) {
    if (g % Math.ceil(G / 16) === 0)
      body += `<text text-anchor="middle" x="${x(g * L + L / 2)}" y="${y}">${g}</text>`;
  }
  body += `<text x="0" y="${y}">gateway</text>`;
  const stripes = Array.from({ length: Math.ceil(G / 2) }, (_, g) =>
    `<rect class="stripe" x="${x(2 * g * L)}" width="${w * L}" height="${bottom}"/>`).join("");
  const columns = Array.from({ length: A }, (_, k) =>
    `<rect class="column" data-action="${k}" x="${x(k)}" width="${w}" height="${bottom}"/>`).join("");
  box.innerHTML = `<svg viewBox="0 0 ${width} ${y + 6}" height="${y + 6}">${stripes}
    <rect class="pick" x="${x(chosen)}" width="${w}" height="${bottom}"/>${body}
    <rect class="looked" x="${x(looked)}" width="${w}" height="${bottom}"/>${columns}</svg>`;
  box.setAttribute("aria-label", `Action ${chosen} is chosen, with ${percent("probability", f, chosen)}`);
}

// One line on an action: all that the figure shows in its column.
function readout(f, draw, k) {
  const L = about.levels.length, parts = [`<b>${nameOf(k)}</b> (action ${k})`];
  if (draw >= 0) {
    const latents = about.steps.map((_, n) => say("latents", f, n, draw, k));
    parts.push(`a<sub>${about.steps[0]}</sub> … a<sub>0</sub>: ${latents.join(", ")}`);
    parts.push(`π in this draw: ${percent("draws", f, draw, k)}`);
  }
  parts.push(`π ${about.steps.length ? `in the mean of ${about.eval_draws} draws: ` : ""}${percent("probability", f, k)}`);
  const q = Array.from({ length: kept.values.shape[1] }, (_, c) => say("values", f, c, k));
  if (q.length) parts.push(`Q ${q.join(" and ")}`);
  parts.push(`T<sub>act</sub> ${say("delay", f, k)} s, ${STATUS[status(f, k)]}`, `r ${signed(say("reward", f, k))}`);
  return parts.join("; ");
}
