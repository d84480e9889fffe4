// The episode: an overview of all of it, and a part of it with one lane for every gateway.
const STATUS = ["in time", "late", "dropped"];
const G = about.capacity.length, F = about.flows;
const GUTTER = 76, gutter = (width) => (width < 500 ? 44 : GUTTER);
let times = [], most = 1; // when each flow is drawn, flows of one slot side by side; the longest queue

const status = (f, k) => (value("dropped", f, k) ? 2 : value("completed", f, k) ? 0 : 1);
const outcome = (f) => status(f, value("action", f));
const gatewayOf = (k) => Math.floor(k / about.levels.length);

function prepareStrip() {
  for (let f = 0; f < F; ) {
    let end = f;
    while (end < F && value("time", end) === value("time", f)) end++;
    for (let k = f; k < end; k++) times.push(value("time", f) + (about.slot * (k - f)) / (end - f));
    f = end;
  }
  for (let f = 0; f < F; f++) most = Math.max(most, ...row("backlog", f));
  document.getElementById("queue-scale").textContent = `queue (full height: ${most.toFixed(0)} Mbit)`;
}

const length = () => times[F - 1] + about.slot;

// An area below steps: from each decision to the next one.
function steps(first, last, x, y, base) {
  let path = `M${x(first).toFixed(1)} ${base}`;
  for (let f = first; f <= last; f++) {
    const next = f < last ? x(f + 1) : x(f) + 2;
    path += `V${y(f).toFixed(1)}H${next.toFixed(1)}`;
  }
  return `${path}V${base}Z`;
}

function drawOverview(box) {
  const width = box.clientWidth, high = Math.max(3, Math.min(12, 100 / G)), height = G * high;
  const left = gutter(width), x = (f) => left + (times[f] / length()) * (width - left);
  let body = "";
  for (let g = 0; g < G; g++) {
    const bottom = (g + 1) * high - 1;
    body += `<rect class="lane" x="${left}" y="${bottom - high + 1}" width="${width - left}" height="${high - 1}"/><path class="held"
      d="${steps(0, F - 1, x, (f) => bottom - (high - 1) * value("used", f, g), bottom)}"/>`;
    if (g % Math.ceil(10 / high) === 0) body += `<text x="2" y="${bottom}">${left < GUTTER ? "" : "gateway "}${g}</text>`;
  }
  for (let f = 0; f < F; f++) {
    const at = outcome(f), g = gatewayOf(value("action", f));
    if (at) body += `<rect class="miss${at}" x="${x(f).toFixed(1)}" y="${g * high}" width="1.6" height="${high - 1}"/>`;
  }
  box.innerHTML = `<svg viewBox="0 0 ${width} ${height + 2}" height="${height + 2}">${body}
    <rect class="window" y="0.5" height="${height}"/></svg>`;
}

function moveWindow(box, [from, to]) {
  const frame = box.querySelector(".window"), left = gutter(box.clientWidth), each = (box.clientWidth - left) / length();
  frame.setAttribute("x", left + from * each + 1);
  frame.setAttribute("width", Math.max(4, (to - from) * each - 2));
}

const SHAPES = ['<circle r="3.2"/>', '<path d="M0-4.6L4.6 3.6H-4.6Z"/>', '<path d="M-3.6-3.6L3.6 3.6M3.6-3.6L-3.6 3.6"/>'];

function drawStrip(box, chosen, [from, to]) {
  const width = box.clientWidth, left = gutter(width);
  const high = Math.max(24, Math.min(46, 380 / G)), room = 15, height = G * high + 20;
  const inX = (t) => left + ((t - from) / (to - from)) * (width - left);
  const x = (f) => Math.max(left, Math.min(width, inX(times[f])));
  const first = Math.max(0, times.findLastIndex((t) => t <= from)), after = times.findIndex((t) => t > to);
  const last = after < 0 ? F - 1 : after;
  let body = "", marks = "";
  for (let g = 0; g < G; g++) {
    const bottom = (g + 1) * high - 2, tall = high - room - 2, most_rate = about.capacity[g];
    const up = (share) => bottom - tall * Math.min(1, share);
    let queue = "";
    for (let f = first; f <= last; f++) {
      const y = up(value("backlog", f, g) / most).toFixed(1);
      queue += `${queue ? "V" + y : `M${x(f).toFixed(1)} ${y}`}H${(f < last ? x(f + 1) : width).toFixed(1)}`;
    }
    body += `<rect class="lane" x="${left}" y="${bottom - tall}" width="${width - left}" height="${tall}"/>
      <path class="taken" d="${steps(first, last, x, (f) => up(value("total", f, g) / most_rate), bottom - tall)}"/>
      <path class="held" d="${steps(first, last, x, (f) => up(value("held", f, g) / most_rate), bottom)}"/>
      <path class="queue" d="${queue}"/><line class="rule" x1="0" x2="${width}" y1="${bottom + 1}" y2="${bottom + 1}"/>
      <text class="strong" x="2" y="${bottom - tall + 9}">${g}</text>
      <text x="${6 + 8 * String(g).length}" y="${bottom - tall + 9}">${most_rate.toFixed(0)}${left < GUTTER ? "" : " Mbit/s"}</text>`;
  }
  for (let f = first; f <= last; f++) {
    if (times[f] < from || times[f] > to) continue;
    const at = outcome(f), g = gatewayOf(value("action", f));
    marks += `<g class="mark s${at}${f === chosen ? " chosen" : ""}" data-flow="${f}"
      transform="translate(${inX(times[f]).toFixed(1)} ${g * high + room / 2})"><title>flow ${f}: ${STATUS[at]}</title>
      <circle class="ring" r="7"/><rect class="target" x="-6" y="-8" width="12" height="16"/>${SHAPES[at]}</g>`;
  }
  const now = inX(times[chosen]);
  for (let k = Math.ceil(from / tick(to - from)); k * tick(to - from) < to; k++) {
    const at = inX(k * tick(to - from));
    if (at < width - 30) body += `<text x="${at.toFixed(1)}" y="${height - 5}">${+(k * tick(to - from)).toFixed(2)} s</text>`;
  }
  box.innerHTML = `<svg viewBox="0 0 ${width} ${height}" height="${height}">${body}
    <line class="now" x1="${now}" x2="${now}" y1="0" y2="${height - 18}"/>${marks}
    <rect class="future" x="${now + 7}" y="0" width="${Math.max(0, width - now - 7)}" height="${height - 18}"/></svg>`;
}

const tick = (span) => [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((step) => span / step <= 8) ?? span;
