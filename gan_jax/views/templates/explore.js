// The page of --mode=explore. DATA is of data.js, RUNTIME of runtime.js.
'use strict';
const $ = id => document.getElementById(id);
const all = selector => [...document.querySelectorAll(selector)];
const sliders = all('[data-kind=label], [data-kind=code], [data-kind=direction]');
const {shape: [H, W, C], latent, directions, name} = DATA;
const image = $('image'), paint = image.getContext('2d');
// Where it is: a latent, standard deviations along the directions, and a class,
// or a label vector in [0, 1].
const vector = DATA.columns.length > 0;
let now = {base: null, amounts: directions.map(() => 0),
           label: vector ? DATA.label : DATA.classes[0] ?? 0};
const saved = {};
let active = sliders[0], session, playing = false;

// Latents.

const gauss = () => Math.sqrt(-2 * Math.log(1 - Math.random()))
  * Math.cos(2 * Math.PI * Math.random());
const clip = (x, b) => Math.max(-b, Math.min(b, x));
const length = z => Math.sqrt(z.reduce((sum, x) => sum + x * x, 0));
const codes = latent.name === 'infogan' ? latent.size - latent.noise : 0;
const firsts = (latent.categories ?? []).map(  // of each category in z
  (_, i, counts) => counts.slice(0, i).reduce((sum, n) => sum + n, 0));

function bounded() {
  for (;;) {
    const x = gauss();
    if (Math.abs(x) <= latent.bound) return x;
  }
}

function drawn() {
  if (DATA.pool) return DATA.pool[Math.floor(Math.random() * DATA.pool.length)];
  const entry = {uniform: () => 2 * Math.random() - 1,
                 truncated_normal: bounded}[latent.name] ?? gauss;
  const z = Array.from({length: latent.size}, entry);
  // Codes: the largest of a category will be its one.
  for (let i = 0; i < codes; i++) z[i] = 2 * Math.random() - 1;
  return fitted(z);
}

// The nearest point that the prior can draw.
function fitted(z) {
  if (latent.name === 'uniform') return z.map(x => clip(x, 1));
  if (latent.name === 'truncated_normal') return z.map(x => clip(x, latent.bound));
  if (latent.name === 'sphere') {
    const scale = Math.sqrt(z.length) / length(z);
    return z.map(x => x * scale);
  }
  if (!codes) return z;
  z = z.map((x, i) => i < codes ? clip(x, 1) : x);
  firsts.forEach((first, i) => {
    const part = z.slice(first, first + latent.categories[i]);
    const one = part.indexOf(Math.max(...part));
    part.forEach((_, j) => { z[first + j] = +(j === one); });
  });
  return z;
}

// Phi, of Abramowitz and Stegun 1964, 7.1.26; its error is below 2e-7.
function phi(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741
    + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x / 2) / 2;
  return x > 0 ? 1 - tail : tail;
}

// What --truncation draws, but moving with the bound: the same quantile of the
// prior within it.
function truncated(z) {
  const slider = $('truncation');
  if (!slider || slider.value === slider.max) return z;
  const bound = Number(slider.value);
  if (latent.name === 'uniform') return z.map(x => x * bound);
  const outer = latent.bound ? 2 * phi(latent.bound) - 1 : 1;
  const share = (2 * phi(bound) - 1) / outer;
  return z.map(x => {
    const want = share * (phi(Math.abs(x)) - 0.5) + 0.5;
    let low = 0, high = bound;
    for (let i = 0; i < 30; i++) {
      const middle = (low + high) / 2;
      if (phi(middle) < want) low = middle; else high = middle;
    }
    return Math.sign(x) * low;
  });
}

function point() {
  const z = [...truncated(now.base)];
  now.amounts.forEach((amount, k) => {
    if (amount) directions[k].forEach((u, i) => { z[i] += amount * u; });
  });
  return Float32Array.from(fitted(z));
}

// Along a great circle, and linearly in the norm.  White 2016, arXiv:1609.04468.
function between(a, b, t) {
  const sizes = [length(a), length(b)];
  const cosine = a.reduce((sum, x, i) => sum + x * b[i], 0) / sizes[0] / sizes[1];
  const angle = Math.acos(clip(cosine, 1)), sine = Math.sin(angle);
  const [wa, wb] = sine < 1e-6 ? [1 - t, t]
    : [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
  const size = sizes[0] * (1 - t) + sizes[1] * t;
  return a.map((x, i) => size * (wa * x / sizes[0] + wb * b[i] / sizes[1]));
}

function along(t) {
  const {a, b} = saved;
  $('path').value = t;
  const mixed = (x, y) => x.map((_, k) => x[k] * (1 - t) + y[k] * t);
  now = {base: fitted(between(a.base, b.base, t)),
         label: vector ? mixed(a.label, b.label) : (t < 0.5 ? a : b).label,
         amounts: mixed(a.amounts, b.amounts)};
  return show();
}

// Images.

let wanted = false, showing = null;

// Draws the point; calls while it draws are one more drawing. Resolves when the
// newest is on the page.
function show() {
  wanted = true;
  showing ??= (async () => {
    try {
      while (wanted) {
        wanted = false;
        await draw();
      }
    } finally {
      showing = null;
    }
  })();
  return showing;
}

async function draw() {
  const z = point(), {label} = now;
  const inputs = {z: new ort.Tensor('float32', z, [1, z.length])};
  if (DATA.classes.length) inputs.label = new ort.Tensor('int32', [label], [1]);
  if (vector) inputs.label = new ort.Tensor('float32', label, [1, label.length]);
  if (DATA.noise) inputs.noise = new ort.Tensor('float32', DATA.noise, [1, DATA.noise.length]);
  const {data} = (await session.run(inputs)).images;
  const [low, high] = DATA.range, pixels = new ImageData(W, H);
  for (let i = 0; i < H * W; i++) {
    for (let c = 0; c < 4; c++) {
      // Rounds and clips, as they are bytes.
      pixels.data[4 * i + c] = c === 3 && C !== 4 ? 255
        : (data[C * i + (C === 1 ? 0 : c)] - low) / (high - low) * 255;
    }
  }
  paint.putImageData(pixels, 0, 0);
  Object.assign(explorer, {z, label, images: data, drawn: explorer.drawn + 1});
  state();
}

// The controls show where it is.
function state() {
  for (const input of all('[data-kind]')) {
    const {kind, part} = input.dataset, at = firsts[part];
    if (kind === 'class') input.checked = Number(input.value) === now.label;
    if (kind === 'label') {
      const [, low, high] = DATA.columns[part];
      input.value = low + now.label[part] * (high - low);
    }
    if (kind === 'category') input.checked = now.base[at + Number(input.value)] === 1;
    if (kind === 'code') input.value = now.base[codes - latent.continuous + Number(part)];
    if (kind === 'direction') input.value = now.amounts[part];
    const output = input.parentNode.querySelector('output');
    if (output) output.value = kind === 'truncation' && input.value === input.max
      ? 'none' : Number(input.value).toFixed(2).replace('-', '\u2212');
  }
}

// What one can do.

const press = (id, on) => $(id).setAttribute('aria-pressed', on);
const pressed = id => $(id).getAttribute('aria-pressed') === 'true';

function moved() {
  playing = false;
  return show();
}

function random() {
  now.amounts = now.amounts.map(() => pressed('lock') ? clip(gauss(), 3) : 0);
  if (!pressed('lock')) now.base = drawn();
  return moved();
}

async function save(end) {
  await showing;
  saved[end] = structuredClone(now);
  const small = $(`go-${end}`).firstChild;
  [small.width, small.height] = [W, H];
  small.getContext('2d').drawImage(image, 0, 0);
}

function go(end) {
  now = structuredClone(saved[end]);
  $('path').value = +(end === 'b');
  return moved();
}

// There and back in 6 seconds.
async function play() {
  playing = !playing;
  if (!playing) return;
  press('play', true);
  const start = performance.now() - 3000 * Number($('path').value);
  let count = 0, since = performance.now();
  while (playing) {
    const time = await new Promise(requestAnimationFrame);
    if (!playing) break;
    const turn = Math.max(0, time - start) / 3000 % 2;
    await along(turn < 1 ? turn : 2 - turn);
    count++;
    const passed = performance.now() - since;
    if (passed > 500) {
      $('rate').textContent = `${Math.round(1000 * count / passed)} images/s`;
      [count, since] = [0, performance.now()];
    }
  }
  press('play', false);
}

function download() {
  image.toBlob(blob => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${name}-${explorer.drawn}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function toggle(id) {
  press(id, !pressed(id));
  document.body.classList.toggle('smooth', pressed('smooth'));
}

const actions = {
  random, download, play, lock: () => toggle('lock'),
  smooth: () => toggle('smooth'), 'save-a': () => save('a'),
  'save-b': () => save('b'), 'go-a': () => go('a'), 'go-b': () => go('b'),
  reset: () => {
    now.amounts.fill(0);
    return moved();
  }};

function set(input) {
  const {kind, part} = input.dataset, value = Number(input.value);
  if (input.id === 'path') {
    playing = false;
    return along(value);
  }
  now.base = [...now.base];
  if (kind === 'class') now.label = value;
  if (kind === 'label') {
    const [, low, high] = DATA.columns[part];
    now.label = now.label.with(part, (value - low) / (high - low));
  }
  if (kind === 'direction') now.amounts[part] = value;
  if (kind === 'code') now.base[codes - latent.continuous + Number(part)] = value;
  if (kind === 'category') {
    now.base.fill(0, firsts[part], firsts[part] + latent.categories[part]);
    now.base[firsts[part] + value] = 1;
  }
  return moved();
}

function activate(slider) {
  active?.parentNode.classList.remove('active');
  active = slider;
  active?.parentNode.classList.add('active');
}

function put(slider, value) {
  slider.value = value;
  return set(slider);
}

function listen() {
  for (const [id, action] of Object.entries(actions)) {
    $(id).addEventListener('click', event => {
      action();
      if (event.detail) $(id).blur();  // So that Space is Random again.
    });
  }
  for (const input of all('input')) {
    input.addEventListener('input', () => set(input));
  }
  for (const slider of sliders) {
    for (const kind of ['focus', 'pointerdown']) {
      slider.addEventListener(kind, () => activate(slider));
    }
    slider.addEventListener('dblclick', () => put(slider, 0));
  }
  let from, value;  // where a drag began
  image.addEventListener('pointerdown', event => {
    image.setPointerCapture(event.pointerId);
    [from, value] = [event.clientX, Number(active?.value)];
  });
  image.addEventListener('pointermove', event => {
    if (active && image.hasPointerCapture(event.pointerId)) {
      put(active, value + (event.clientX - from) / image.clientWidth
          * (active.max - active.min));
    }
  });
  addEventListener('keydown', key);
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const {target, key} = event, type = target.type;
  const id = {' ': 'random', a: 'save-a', b: 'save-b', p: 'play', l: 'lock',
              r: 'reset', s: 'smooth', d: 'download'}[key.toLowerCase()];
  const step = {ArrowUp: -1, ArrowDown: 1}[key];
  const change = {ArrowLeft: -1, ArrowRight: 1}[key];
  if (id && !(key === ' ' && /button|radio|submit/.test(type))
      && !(key === ' ' && target.tagName === 'SUMMARY')) {
    actions[id]();
  } else if (/^\d$/.test(key) && DATA.classes.includes(Number(key))) {
    now.label = Number(key);
    moved();
  } else if (step && sliders.length && type !== 'radio') {
    const next = sliders.indexOf(active) + step;
    sliders[(next + sliders.length) % sliders.length].focus();
  } else if (change && active && !/radio|range/.test(type)) {
    put(active, Number(active.value) + change * active.step);
  } else {
    return;
  }
  event.preventDefault();
}

// For tests, and for the console: what is shown.
const explorer = window.explorer = {drawn: 0, show, where: () => now, saved};

function bytes(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}

async function start() {
  const wasm = new Blob([bytes(RUNTIME.wasm)]).stream()
    .pipeThrough(new DecompressionStream('gzip'));
  ort.env.wasm.numThreads = 1;  // More need a server that isolates the page.
  ort.env.wasm.wasmBinary = await new Response(wasm).arrayBuffer();
  ort.env.wasm.wasmPaths = {mjs: URL.createObjectURL(
    new Blob([RUNTIME.glue], {type: 'text/javascript'}))};
  session = await ort.InferenceSession.create(bytes(DATA.model),
                                              {executionProviders: ['wasm']});
  for (const end of ['b', 'a']) {
    await random();
    await save(end);
  }
  activate(active);
  listen();
  if (Math.min(H, W) >= 64) toggle('smooth');
  $('said').textContent = `${W} x ${H} pixels`;
  explorer.ready = true;
}

start().catch(error => {
  $('said').textContent = `This browser cannot draw it: ${error}. It needs `
    + 'WebAssembly with SIMD and DecompressionStream (Chrome 91, Firefox 113, '
    + 'Safari 16.4 or later).';
  throw error;
});
