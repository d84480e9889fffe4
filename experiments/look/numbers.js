// The numbers of the page: whole numbers of units of their last digit, as `data.py` keeps them.
const BESIDE = 2 ** 31 - 1, PRINTED = 3;
const about = JSON.parse(document.getElementById("about").textContent), kept = {};

async function readNumbers() {
  const packed = Uint8Array.from(atob(document.getElementById("numbers").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 0;
  for (const [name, { shape, digits, beside }] of Object.entries(about.shapes)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const whole = new Int32Array(size);
    for (let k = 0; k < size; k++) {
      const u = bytes[at + k] | (bytes[at + size + k] << 8) | (bytes[at + 2 * size + k] << 16) |
        (bytes[at + 3 * size + k] << 24);
      whole[k] = (u >>> 1) ^ -(u & 1);
    }
    kept[name] = { whole, shape, digits, beside };
    at += 4 * size;
  }
}

function value(name, ...place) {
  const { whole, shape, digits, beside } = kept[name];
  const k = shape.reduce((index, size, d) => index * size + (place[d] ?? 0), 0);
  return whole[k] === BESIDE ? Number(beside[k] ?? Infinity) : whole[k] / 10 ** digits;
}

function row(name, ...place) {
  const { shape } = kept[name];
  return Array.from({ length: shape[shape.length - 1] }, (_, k) => value(name, ...place, k));
}

// A number as it is printed outside of a sum.
const say = (name, ...place) => print(value(name, ...place), Math.min(PRINTED, kept[name].digits));

function print(number, digits) {
  return number === Infinity ? "∞" : number.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
}

// For sums, [result, sum of rounded terms]: how to print the terms so that they add up; = or, if they cannot, ≈; how to round.
function adding(...sums) {
  const to = (d) => (x) => +x.toFixed(d), close = (a, b) => a === b || Math.abs(a - b) < 0.5 * 10 ** -PRINTED - 1e-9;
  const found = [3, 4, 5, 6].find((d) => sums.every(([result, sum]) => close(to(PRINTED)(result), sum(to(d)))));
  return [(x) => print(x, found ?? 6), found ? "=" : "≈", to(found ?? 6)];
}

const signed = (text) => (/^[−0∞]/.test(text) && Number(text.replace("−", "-")) <= 0 ? text : `+${text}`);
const percent = (name, ...place) => `${(100 * value(name, ...place)).toFixed(1)} %`;
