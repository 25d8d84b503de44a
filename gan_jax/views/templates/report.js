// The page of --mode=report: curves, samples over time, and, if the page is
// served during training, updates.
'use strict';

const PAUSE = 3000;  // ms between updates
const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00',
                 '#56B4E9', '#7A5195', '#8C6D31', '#666666', '#B22222'];
const PARTS = ['disc', 'gen', 'real', 'fake', 'held_out'];  // have fixed colours
const FIRST = ['loss', 'scores', 'prob', 'logits', 'grad_norm'];
const $ = id => document.getElementById(id);
const make = (tag, text, to) => {
  const made = document.createElement(tag);
  made.textContent = text;
  to?.append(made);
  return made;
};
const colour = i => COLOURS[i % COLOURS.length];
const many = () => DATA.runs.length > 1;
const prefix = name => name.includes('/') ? name.split('/')[0] : 'others';
const short = value => value == null ? '' : Math.abs(value) >= 1e5
  ? value.toExponential(3) : String(+value.toPrecision(5));

let plots = [], shape = '', hidden = null, zoom = null;

// Curves.

/** {title, group, series: [{name, colour, x, y, mean, dash, band}]} of each panel. */
function panels() {
  const found = new Map();
  const into = (group, title, series) => {
    if (!found.has(title)) found.set(title, {group, title, series: []});
    found.get(title).series.push(series);
  };
  DATA.runs.forEach((run, i) => {
    for (const [name, [x, y, mean]] of Object.entries(run.curves)) {
      const group = prefix(name), part = name.slice(name.indexOf('/') + 1);
      // Scalars of a group share a panel if there is one run.
      const shared = !many() && !['perf', 'others'].includes(group);
      const at = found.get(group)?.series.length ?? 0;
      into(group, shared ? group : name, {
        name: many() ? run.name : part, x, y, mean,
        colour: colour(many() ? i : shared ? PARTS.includes(part)
          ? PARTS.indexOf(part) : PARTS.length + at : 0)});
    }
    for (const [name, {step, value, low, high, floor}]
         of Object.entries(run.scores)) {
      // One point is no curve, and the table above has it.
      if (DATA.runs.every(one => !(one.scores[name]?.step.length > 1))) continue;
      const own = many() ? run.name : 'score', to = colour(many() ? i : 0);
      into('scores', name, {name: own, x: step, y: value, colour: to,
                            points: true});
      if (!many() && low.some(v => v != null)) {
        into('scores', name, {name: 'low', x: step, y: low, colour: to, band: 1});
        into('scores', name, {name: 'high', x: step, y: high, colour: to, band: 2});
      }
      if (floor.some(v => v != null) && (!many() || i === 0)) {
        into('scores', name, {name: 'real', x: step, y: floor, dash: [6, 4],
                              colour: '#333333'});
      }
    }
  });
  for (const {series} of found.values()) series.sort((a, b) => !!a.dash - !!b.dash);
  const rank = group => (FIRST.indexOf(group) + 1 || 99);
  return [...found.values()].sort((a, b) => rank(a.group) - rank(b.group));
}

/** Exponential moving average, debiased. */
function smoothed({x, y, mean}, weight) {
  let sum = 0, total = 0;
  return (mean?.length ? mean : y).map(value => {
    if (value == null) return null;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + 1 - weight;
    return sum / total;
  });
}

/** Series, bands and data of a panel for uPlot. */
function drawn(panel) {
  const weight = +$('smooth').value, series = [{label: 'step'}], tables = [];
  const bands = [];
  for (const one of panel.series) {
    const pale = weight && !one.points && !one.dash && !one.band;
    const width = one.band ? 0 : 1.5;
    if (one.band === 2) bands.push({series: [series.length, series.length - 1],
                                    fill: one.colour + '33'});
    series.push({label: one.name, stroke: one.colour + (pale ? '40' : ''),
                 width: pale ? 1 : width, dash: one.dash, spanGaps: !!one.dash,
                 class: pale ? 'pale' : null, points: {show: one.points
                   || one.x.length < 3}, value: (_, v) => short(v)});
    tables.push([one.x, one.y]);
    if (pale) {
      series.push({label: `${one.name}, smoothed`, stroke: one.colour,
                   width: 2, points: {show: false}, value: (_, v) => short(v)});
      tables.push([one.x, smoothed(one, weight)]);
    }
  }
  return {series, bands, data: uPlot.join(tables)};
}

function plot(panel, place) {
  const {series, bands, data} = drawn(panel);
  const values = data.slice(1).flatMap(y => y.filter(v => v != null));
  // Symmetric log (asinh) if some values are not positive.
  const log = $('log').checked && values.length > 0;
  const distr = !log ? 1 : values.some(v => v <= 0) ? 4 : 3;
  const zooms = {setSelect: u => {
    if (u.select.width > 0) {
      zoom = [u.posToVal(u.select.left, 'x'),
              u.posToVal(u.select.left + u.select.width, 'x')];
      u.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
      show();
    }
  }};
  return new uPlot({
    width: place.clientWidth, height: 240, series, bands,
    cursor: {sync: {key: 'all', setSeries: false}, drag: {setScale: false},
             bind: {dblclick: () => () => { zoom = null; show(); }}},
    hooks: {setSelect: [zooms.setSelect]},
    scales: {x: {time: false, range: () => zoom ?? whole()},
             y: {distr, asinh: 0.1}},
    axes: [{size: 32, values: (_, at) => at.map(count)},
           {size: 62, values: (_, at) => at.map(
             v => v == null ? '' : String(+v.toPrecision(4)))}],
  }, data, place);
}

const count = v => v >= 1e4 ? `${+(v / 1e3).toPrecision(6)}k` : String(v);

/** Range of the steps of all runs. */
function whole() {
  let low = Infinity, high = -Infinity;
  for (const run of DATA.runs) {
    for (const x of [...Object.values(run.curves).map(c => c[0]),
                     ...Object.values(run.scores).map(s => s.step)]) {
      if (x.length) {
        low = Math.min(low, x[0]);
        high = Math.max(high, x[x.length - 1]);
      }
    }
  }
  return low < high ? [low, high] : [Math.min(low, high) - 1, high + 1];
}

function show() {
  for (const {chart} of plots) chart.setData(chart.data);
}

/** Draws all panels; `again`: only updates their data, if possible. */
function draw(again) {
  const found = panels();
  const groups = [...new Set(found.map(panel => panel.group))];
  hidden ??= new Set(many() ? groups.filter(g => !FIRST.slice(0, 2).includes(g))
                            : []);
  // The table of runs may be new.
  document.querySelectorAll('.dot').forEach((dot, i) => {
    dot.style.color = colour(i);
  });
  const now = JSON.stringify([found.map(p => [p.title, p.series.map(s => s.name)])]);
  if (again && now === shape) {
    for (const one of plots) {
      one.chart.setData(drawn(found.find(p => p.title === one.title)).data);
    }
    return;
  }
  shape = now;
  $('groups').replaceChildren();
  for (const group of groups) {
    const button = make('button', group, $('groups'));
    button.setAttribute('aria-pressed', !hidden.has(group));
    button.onclick = () => {
      if (!hidden.delete(group)) hidden.add(group);
      draw();
    };
  }
  for (const {chart} of plots) chart.destroy();
  $('curves').replaceChildren();
  plots = [];
  if (!found.length) $('curves').textContent = 'Nothing is logged yet.';
  for (const panel of found.filter(p => !hidden.has(p.group))) {
    const place = make('div', '', $('curves'));
    make('h3', panel.title, place);
    plots.push({title: panel.title, place, chart: plot(panel, place)});
  }
}

// Samples over time.

const steps = () => [...new Set(DATA.runs.flatMap(run => run.grids))].sort(
  (a, b) => a - b);

function showGrids() {
  const all = steps(), bar = $('grid');
  $('grids').hidden = !all.length;
  if (!all.length) return;
  const last = +bar.value >= +bar.max;
  bar.max = all.length - 1;
  if (last && !playing) bar.value = bar.max;
  showGrid();
}

function showGrid() {
  const step = steps()[+$('grid').value];
  $('at').textContent = `step ${step.toLocaleString('en')}`;
  const place = $('samples');
  DATA.runs.forEach((run, i) => {
    if (!place.children[i]) {
      const figure = make('figure', '', place);
      make('img', '', figure);
      if (many()) make('figcaption', run.name, figure).style.color = colour(i);
    }
    const newest = run.grids.findLast(at => at <= step);
    const image = place.children[i].querySelector('img');
    image.hidden = newest == null;
    if (newest != null) {
      image.src = `${run.samples}/step_${String(newest).padStart(8, '0')}.png`;
      image.alt = `samples of step ${newest}`;
    }
  });
}

let playing = 0;
function play() {
  const bar = $('grid');
  if (playing) {
    playing = clearInterval(playing);
  } else {
    if (bar.value === bar.max) bar.value = 0;
    playing = setInterval(() => {
      bar.value = +bar.value + 1;
      showGrid();
      if (bar.value === bar.max) play();
    }, 250);
    showGrid();
  }
  $('play').textContent = playing ? 'pause' : 'play';
}

// Updates.

let tag = '';
async function refresh() {
  try {
    const answer = await fetch('data.js', {cache: 'no-store', headers:
      tag ? {'If-None-Match': tag} : {}});
    if (answer.status === 200) {
      tag = answer.headers.get('ETag');
      DATA = JSON.parse((await answer.text()).slice(7, -2));
      for (const [part, html] of Object.entries(DATA.tables)) {
        if ($(part).innerHTML.trim() !== html) $(part).innerHTML = html;
      }
      draw(true);
      showGrids();
    } else if (answer.status !== 304) {
      throw new Error(answer.status);
    }
    $('connection').hidden = true;
  } catch {
    $('connection').textContent = 'The server does not answer: this is the last '
      + 'state that it sent.';
    $('connection').hidden = false;
  }
  setTimeout(refresh, PAUSE);
}

addEventListener('keydown', event => {
  const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (by && event.target.tagName !== 'INPUT' && !$('grids').hidden) {
    $('grid').value = +$('grid').value + by;
    showGrid();
  }
});
addEventListener('resize', () => plots.forEach(
  ({chart, place}) => chart.setSize({width: place.clientWidth, height: 240})));
$('smooth').oninput = $('log').onchange = () => draw();
$('grid').oninput = showGrid;
$('play').onclick = play;
draw();
showGrids();
document.body.dataset.drawn = Math.round(performance.now());
if (DATA.following) setTimeout(refresh, PAUSE);
