"""Code and commands that README and docs show."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
EXPERIMENTS = sorted((ROOT / 'experiments').glob('*/README.md'))


def blocks(language):
  """The code blocks of a language in all pages."""
  return [code for page in PAGES for code in re.findall(
      rf'```{language}\n(.*?)```', page.read_text(), re.DOTALL)]


def example(text):
  """The first Python block that holds a text."""
  return next(code for code in blocks('python') if text in code)


def commands():
  """All calls of the program, one line each."""
  lines = '\n'.join(blocks('bash')).replace('\\\n', ' ').splitlines()
  return sorted({line.partition('  #')[0].strip() for line in lines
                 if line.startswith('python -m gan_jax.main')})


def configs():
  """The flags that make the configs of these calls, once each."""
  flags = {tuple(word for word in shlex.split(command)
                 if word.startswith('--config')) for command in commands()}
  return sorted(flags - {()})
