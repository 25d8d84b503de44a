"""README.md of the rows of results.jsonl: table.py < results.jsonl."""

import json
import sys

HEAD = """\
# Beside other programs

**Question.** Do our losses, penalties, class terms, norms, augmentations and
scores compute what the published programs compute?

```
pip install -r tests/parity/requirements.txt
experiments/parity/run.sh [FOLDER of checkouts]
```

`run.sh` runs `tests/parity/` and writes this page. Both sides get the same
arrays, random draws included, in float64 where both can. A number is the
largest difference over the largest entry of theirs, of values and of gradients
(by the logits, images, heads or weights that the function trains). Where the
two differ, the test demands words about it in the docstring of our function,
and that the difference is gone once it is undone.

[equations.md](equations.md): which numbers of equations, sections and tables in
our docstrings were looked up in their papers.
"""

FOOT = """
## Not run
* R3GAN and StyleGAN2-ADA compute p of ADA, moving averages and lazy intervals
  inside their training loops, which start only on a GPU.
* `tensorflow_gan` cannot be imported with a current TensorFlow: its estimators
  want `tf.estimator`. Its modules of losses, features and scores are loaded
  without the packages' `__init__`.
* No program of these has: `softmax_gan`, `dual_contrastive`, `mmd`, `fgan`,
  `ebgan`, `began`, `relativistic_average_hinge` and `_least_squares`,
  `wgan_div`, `pulling_away`, `historical_averaging`, `semi_supervised`,
  `drift`, `authenticity`, `frechet_infinity`, `power_spectrum`. Their tests in
  `tests/` are worked out by hand or by loops.
* `tac_gan` and `adc_gan` are sums of `acgan`'s cross-entropy inside StudioGAN's
  worker; `top_k` and `zcr` are lines of it.
"""


def main() -> None:
  """Prints the page."""
  rows = [json.loads(line) for line in sys.stdin]
  # The order of the rooms, whatever the order of the tests.
  rows.sort(key=lambda row: (row['ours'], row['peer'], row['place']))
  print(HEAD)
  print('## Programs')
  print(table(('program', 'comparisons', 'equal', 'different by a decision'), [
      (linked(peer, found), len(found),
       sum(not row['decision'] for row in found),
       sum(bool(row['decision']) for row in found))
      for peer, found in grouped(rows).items()]))
  print('\n## Differences')
  print(table(('ours', 'theirs', 'values', 'gradients', 'what differs'), [
      cells(row) for row in rows if row['decision']]))
  print('\n## Equal')
  print(table(('ours', 'theirs', 'values', 'gradients', 'remark'), [
      cells(row) for row in rows if not row['decision']]))
  print(FOOT, end='')


def grouped(rows):
  """{peer: its rows}, in the order of names."""
  found = {}
  for row in sorted(rows, key=lambda row: row['peer'].lower()):
    found.setdefault(row['peer'], []).append(row)
  return found


def linked(peer, rows):
  """A peer, with its commit if it has one."""
  link = rows[0]['link']
  return f'[{peer} {link.rpartition("/")[2][:10]}]({link})' if link else peer


def cells(row):
  """The cells of a comparison."""
  return (f'`{row["ours"]}`', f'{row["peer"].partition(" ")[0]}: '
          f'`{row["place"]}`', size(row['values']), size(row['gradients']),
          row['remark'])


def size(number):
  """Two digits, or nothing for what was not compared."""
  return '-' if number is None else '0' if number == 0 else f'{number:.1e}'


def table(heads, rows):
  """A Markdown table."""
  return '\n'.join('| ' + ' | '.join(map(str, cells)) + ' |' for cells in [
      heads, ['---'] * len(heads), *rows])


if __name__ == '__main__':
  main()
