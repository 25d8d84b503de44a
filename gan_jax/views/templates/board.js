// The table of --mode=compare --out=F.html: sorts by a column, filters by words.
// Only the first rows are in the document, or it takes a second to lay out.
'use strict';
const PAGE = 200;
const $ = id => document.getElementById(id);
const body = $('board').tBodies[0], heads = [...$('board').tHead.rows[0].cells];
const rows = [...body.rows], order = new Intl.Collator(undefined, {numeric: true});
const texts = [], values = heads.map(() => null);
let shown = rows.map((_, i) => i), sorted = shown, limit = PAGE;

/** What each row has in a column: numbers, or texts; null if empty. */
function column(j) {
  return values[j] ??= rows.map(row => {
    const cell = row.cells[j], text = cell.textContent;
    return 'v' in cell.dataset ? +cell.dataset.v : text || null;
  });
}

function compare(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return order.compare(a, b);
}

/** Sorts by a column; empty cells come last either way. */
function sort(j, descending) {
  const of = column(j), sign = descending ? -1 : 1;
  sorted = [...sorted].sort((a, b) => of[a] === null || of[b] === null
    ? (of[a] === null) - (of[b] === null) : sign * compare(of[a], of[b]));
  heads.forEach(head => head.removeAttribute('aria-sort'));
  heads[j].setAttribute('aria-sort', descending ? 'descending' : 'ascending');
  show();
}

/** Cells, keys with their values (batch_size=64), folders and states. */
const words_of = row => [...row.cells].map((cell, j) =>
  `${heads[j].textContent}=${cell.textContent} ${[...cell.children].map(
    link => link.title).join(' ')}`).join(' ').toLowerCase();

/** Shows the first rows that have all words of the filter. */
function show(most = PAGE) {
  const words = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = words.length ? sorted.filter(i => {
    texts[i] ??= words_of(rows[i]);
    return words.every(word => texts[i].includes(word));
  }) : sorted;
  limit = most;
  body.replaceChildren(...shown.slice(0, limit).map(i => rows[i]));
  $('more').hidden = shown.length <= limit;
  $('count').textContent = `${shown.length.toLocaleString('en')} of `
    + `${rows.length.toLocaleString('en')}`;
}

heads.forEach((head, j) => head.firstElementChild.addEventListener('click', () => {
  const now = head.getAttribute('aria-sort');
  // The best first: low values, or high ones where those are better.
  sort(j, now ? now === 'ascending' : 'high' in head.dataset);
}));
$('filter').hidden = false;
$('filter').addEventListener('input', () => show());
$('more').addEventListener('click', () => show(limit + PAGE));
new IntersectionObserver(([seen]) => seen.isIntersecting && show(limit + PAGE),
                         {rootMargin: '600px'}).observe($('more'));
show();
