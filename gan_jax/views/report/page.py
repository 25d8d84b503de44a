"""The page of a report: static HTML, which needs nothing from elsewhere."""

import html
import json
from collections.abc import Mapping

_STYLE = '''
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1180px;
       margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
figure { margin: 0 0 2.5em; } img { max-width: 100%; height: auto; }
figcaption { color: #444; max-width: 46em; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 2px 14px 2px 0;
         border-bottom: 1px solid #ddd; }
td { overflow-wrap: anywhere; }
code { font-size: 0.9em; }
'''
_TRAINING = {
    'curves.png': 'Losses with their equilibrium, the discriminator\'s '
                  'answers, gradients and scores over training.',
    'training.gif': 'One fixed set of latents over training.'}


def page(title: str, pictures, *, config: Mapping, data, scores,
         training) -> str:
  """The page.

  Args:
    title: name of the run, and step.
    pictures: `report.pictures.Picture`s, files beside the page.
    config: of the run.
    data: `experiment.DataInfo`.
    scores: rows of scores.jsonl.
    training: names of files in the folder above, of `_TRAINING`.
  """
  shown = [_figure(p.name, p.caption, p.pixels.shape) for p in pictures]
  shown += [_figure(f'../{name}', _TRAINING[name]) for name in training]
  size = ' x '.join(map(str, data.image_shape))
  what = 'images' if len(data.image_shape) == 3 else 'vectors'
  about = (f'{data.name}: {data.num_examples:,} {what} of {size}, '
           f'{data.num_classes or "no"} classes'
           + (f', licence {data.licence}' if data.licence else ''))
  return f'''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{_safe(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{_safe(title)}</h1>
<p>{_safe(about)}</p>
{_scores(scores)}
<h2>Pictures</h2>
{"".join(shown)}
<h2>Config</h2>
{_table(("key", "value"), [
    (f"<code>{_safe(key)}</code>", f"<code>{_safe(value)}</code>")
    for key, value in _flat(config)])}
</body>
</html>
'''


def _figure(name, caption, shape=None):
  size = f' width="{shape[1]}" height="{shape[0]}"' if shape else ''
  what = name.removeprefix('../').rpartition('.')[0].replace('_', ' ')
  return (f'<figure><img src="{_safe(name)}" alt="{_safe(what)}"{size}>'
          f'<figcaption>{_safe(caption)}</figcaption></figure>\n')


def _scores(rows):
  """Table of the scores, '' where there are none."""
  if not rows:
    return ''
  lines = []
  for row in rows:
    value = _number(row.get('value')) or f'none: {row.get("reason") or "?"}'
    low, high = _number(row.get('low')), _number(row.get('high'))
    protocol = ', '.join(f'{k}: {v}' for k, v in _flat(
        row.get('protocol') or {}))
    lines.append([_safe(text) for text in (
        row['name'], value, f'{low} to {high}' if low and high else '',
        _number(row.get('floor')), _number(row['step']))] + [
            f'<details><summary>protocol</summary>{_safe(protocol)}</details>'
            if protocol else ''])
  heads = ('score', 'value', '95 % interval', 'real against real', 'step', '')
  return f'<h2>Scores</h2>\n{_table(heads, lines)}'


def _table(heads, rows):
  head = ''.join(f'<th>{_safe(text)}</th>' for text in heads)
  rows = (''.join(f'<td>{cell}</td>' for cell in row) for row in rows)
  body = ''.join(f'<tr>{row}</tr>\n' for row in rows)
  return f'<table>\n<tr>{head}</tr>\n{body}</table>'


def _number(value) -> str:
  """'' for none."""
  if isinstance(value, int | float):
    return f'{value:,}' if isinstance(value, int) else f'{value:.5g}'
  return ''


def _flat(value, path=''):
  """[('generator.width', '64'), ...] of nested values."""
  if isinstance(value, Mapping) and value:
    return [pair for key, part in value.items()
            for pair in _flat(part, f'{path}.{key}' if path else str(key))]
  if isinstance(value, list | tuple) and any(
      isinstance(part, Mapping) for part in value):
    return [pair for i, part in enumerate(value)
            for pair in _flat(part, f'{path}[{i}]')]
  return [(path, json.dumps(value))]


def _safe(text) -> str:
  return html.escape(str(text))
