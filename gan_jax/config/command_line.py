"""Command-line flags and their parsing."""

import difflib
import logging
import os
import re
import shlex
import sys
from typing import NamedTuple

from absl import flags
from ml_collections import ConfigDict

_LOG = logging.getLogger(__name__)
MODES = ('train', 'sample', 'evaluate', 'report', 'inspect', 'compare',
         'export', 'explore', 'advise', 'judge', 'search', 'invert', 'outliers',
         'complete')
_TEXT, _SWITCH, _INT, _LIST = (flags.DEFINE_string, flags.DEFINE_bool,
                               flags.DEFINE_integer, flags.DEFINE_list)
# Modes that look at images with a run.
_LOOK = 'invert outliers complete'
# (kind, name, default, the modes that read it, text)
_FLAGS = (
    (_TEXT, 'config', '', 'train inspect advise search',
     'A recipe, dcgan or dcgan:loss=hinge,quick, or a file with '
     'get_config(arg); --config.key=value overrides.'),
    (_TEXT, 'workdir', '',
     'train sample evaluate report export explore advise judge search '
     f'{_LOOK}',
     'Folder of the run; by default runs/<config> with the overrides.'),
    (_TEXT, 'idea', '', 'judge',
     'What is judged: FILE.py:NAME of a loss, a penalty, a norm or a network, '
     'or arguments such as loss=hinge,penalty=r1.'),
    (_TEXT, 'budget', '15m', 'judge',
     'Wall time of the verdict: 90s, 15m, 2h.'),
    (_LIST, 'tasks', '', 'judge',
     'Some of ring,digits,grid,clothes,stacked.'),
    (_INT, 'seeds', 8, 'judge',
     'Seeds of each game, 3 or more.'),
    (_SWITCH, 'dry_run', False, 'train',
     'Print layers, durations and memory, and exit.'),
    (_SWITCH, 'allow_changed_data', False, 'train',
     'Resume with different data than in the last launch.'),
    (_LIST, 'allow_changed', '', 'train',
     'Config keys that may differ on resume, as gen_optimizer.learning_rate.'),
    (_SWITCH, 'strict', False, f'train sample export explore {_LOOK}',
     'Fail instead of using an older checkpoint if the newest is damaged.'),
    (_TEXT, 'coordinator', '', 'train',
     'HOST:PORT of process 0, if several processes share a run; auto for '
     'auto-detection by JAX. Slurm, Open MPI and TPU pods need no flag.'),
    (_INT, 'num_processes', 0, 'train',
     'Number of processes of the run.'),
    (_INT, 'process_id', -1, 'train',
     'Index of this process, from 0.'),
    (_INT, 'trials', 40, 'search',
     'Trials in all, with those of other workers and earlier launches. The '
     'arguments are the space, in the language of experiments/sweep.sh: '
     "'gen_optimizer.learning_rate=1e-5..1e-3:log' disc_steps=1..3 "
     ':loss=hinge,minimax seed=0,1.'),
    (_SWITCH, 'prune', True, 'search',
     'Stop trials early whose scores are among the worst.'),
    (_TEXT, 'ray', '', 'search',
     'Ray cluster whose devices play the trials: local, auto or HOST:PORT.'),
    (_INT, 'num_samples', None, 'sample evaluate',
     'Images to sample, 64 by default, or to score; for ais and elbo, real '
     'ones.'),
    (_TEXT, 'label', None, f'sample {_LOOK}',
     'What to sample, or what the images show: a class by its name or '
     'number, turn for all classes in turn, Mass|Edema or age=63,sex=1 for '
     'label vectors; by default, of samples, as in the data.'),
    (_TEXT, 'labels', '', 'sample',
     'F.csv with the label of each image to sample, in the column label or '
     'those of label vectors.'),
    (_INT, 'seed', 0, f'sample report judge {_LOOK}',
     'Random seed for the latents; of judge, the first one of the runs.'),
    (flags.DEFINE_float, 'truncation', None, 'sample',
     'Resample entries of z beyond this size; of a generator with a style '
     'space psi, 0 to 1.'),
    (_INT, 'interpolate', 0, 'sample',
     'Points of a spherical path between two latents, per sample; 0 for '
     'none.'),
    (_TEXT, 'out', '',
     f'sample evaluate report inspect compare export explore {_LOOK}',
     'F.png, F.gif, F.npz, F.tif, F.wav or a folder; by default '
     'WORKDIR/samples.png. For inspect and report, a folder; for compare, '
     'F.md, F.csv, F.tex, F.html (a page that sorts) or F.bib (the papers of '
     'the methods used); for evaluate with --images, F.jsonl; for export, '
     'F.stablehlo, F.onnx, F.safetensors or a new folder; for explore, a new '
     'folder; for invert and complete, F.npz; for outliers, F.jsonl.'),
    (_TEXT, 'extractor', '', 'evaluate report',
     'Feature network, such as inception.'),
    (_TEXT, 'weights', '', 'evaluate report',
     'File of its weights.'),
    (_TEXT, 'resizer', '', 'evaluate',
     'How the extractor inception resizes, tf1, pytorch or clean.'),
    (_LIST, 'metrics', '', 'evaluate',
     'Scores: fd,kd,prdc ... or evaluators, with what is asked of them, as '
     'ais:chains=4:temperatures=100.'),
    (_TEXT, 'best', '', 'evaluate',
     'Score by which the best checkpoint is kept in WORKDIR/best-NAME.'),
    (_SWITCH, 'follow', False, 'evaluate report',
     'For evaluate: continue while the run does. For report: serve the page '
     'and update it.'),
    (_INT, 'port', 0, 'report',
     'With --follow: port on 127.0.0.1; 0 for a free one.'),
    (_TEXT, 'images', '', f'evaluate {_LOOK}',
     'A folder or .npz of images: to score against those of --reference, or '
     'to look at.'),
    (_TEXT, 'reference', '', 'evaluate',
     'See --images.'),
    (_LIST, 'resize', '', f'evaluate {_LOOK}',
     'H,W to resize --images (and --reference) to.'),
    (_INT, 'channels', 0, f'evaluate {_LOOK}',
     'Of the same: 1 grey, 3 RGB, 4 RGBA, 0 as they are.'),
    (_TEXT, 'mask', '', 'complete',
     'A picture, white where pixels are to be filled, or a folder, .npz or '
     '.npy of one for each image.'),
    (_INT, 'posterior', 0, 'invert',
     'Samples of P(z | image) of each.'),
    (_TEXT, 'likelihood', 'gaussian', 'invert',
     'Of --posterior: gaussian (whose deviation is found), gaussian:0.1 or '
     'bernoulli.'),
    (_TEXT, 'sort', '', 'compare outliers',
     'Score to sort by; of outliers anogan, fanogan or discriminator. For '
     'compare, the arguments, as those of report, are run folders, '
     "folders of such, or patterns such as 'runs/sweep/*'."),
    (_TEXT, 'where', '', 'compare',
     'Only runs for which all of this holds: '
     "'loss.name=hinge,batch_size>=64,status=finished,fd_5k_train<3'; keys of "
     'the config, scores, status, step, seconds, images, folder.'),
    (_TEXT, 'cost', '', 'compare',
     'seconds or images: names the points that no other beats in score and in '
     'this cost.'),
    (_SWITCH, 'help', False, ' '.join(MODES),
     'Print this.'),
)
_SWITCHES = [name for kind, name, *_ in _FLAGS if kind is _SWITCH]
_READ_BY = {name: modes.split() for _, name, _, modes, _ in _FLAGS}


class CommandLine(NamedTuple):
  """A parsed command line.

  flags: all but those of the config.
  config: of --config and its overrides, None without one.
  name: of the run, '<config>-<argument>-<overrides>', valid as a file name.
  given: --config and its overrides, as given.
  folders: positional arguments: run folders, or the space of a search.
  problems: error messages.
  """

  flags: flags.FlagValues
  config: ConfigDict | None
  name: str
  given: list[str]
  folders: list[str]
  problems: list[str]


def parse(argv: list[str]) -> CommandLine:
  """Parses argv (program name and arguments); collects errors."""
  values, problems, folders, settings, config = _define(), [], [], [], ''
  for arg in joined(argv[1:]):
    if not arg.startswith('-'):
      folders.append(arg)
    elif re.match(r'--?config=', arg):
      before, config = config, arg.partition('=')[2]
      if before not in ('', config):  # They do not add up.
        problems.append(f'--config is given twice, as {before} and as {config}:'
                        ' give one')
    elif re.match(r'--?(no)?config\.', arg):
      settings.append(arg)
    else:
      try:
        values([argv[0], arg])
      except flags.Error as e:
        problems.append(f'cannot read {arg}: {_why(arg, e)}')
  values([argv[0]])
  if values.mode not in ('compare', 'report', 'search'):
    problems += [f'cannot read {arg}: not a flag{_hint(arg, values.mode)}'
                 for arg in folders]
  given = [name for name in _READ_BY if values[name].present]
  if not any(re.match('cannot read --?mode', problem) for problem in problems):
    problems += _of_other_modes(values.mode, given + ['config'] * bool(config))
  if not config:
    problems += [f'cannot read {arg}: {_without_config(values.mode, arg)}'
                 for arg in settings]
    return CommandLine(values, None, '', [], folders, problems)
  given = [f'--config={config}', *settings]
  argument = config.partition(':')[2]
  from gan_jax.config import overrides
  config, name, found = overrides.read(config, settings)
  problems += found
  # Here, as a search reads the config of each trial.
  if 'quick' in argument.split(',') and not problems:
    _LOG.info('quick: a smoke test with tiny networks and 4 steps; its '
              'pictures are noise')
  return CommandLine(values, config, name, given, folders, problems)


def usage(values) -> str:
  """The text of --help."""
  return values.module_help(sys.modules[__name__])


def joined(args):
  """`--flag value` as `--flag=value`, so that each argument stands alone."""
  out = []
  for arg in args:
    if (out and out[-1].startswith('-') and '=' not in out[-1]
        and not arg.startswith('-')
        and out[-1].lstrip('-').removeprefix('no') not in _SWITCHES):
      out[-1] = f'{out[-1]}={arg}'
    else:
      out.append(arg)
  return out


def _of_other_modes(mode, given):
  """Messages about flags that a mode would not read."""
  return [f'--{name} is of --mode={" or ".join(_READ_BY[name])}; '
          f'--mode={mode} does not read it: leave it out'
          for name in given if mode not in _READ_BY[name]]


def _without_config(mode, arg):
  """Why a flag of the config is not read where there is no config."""
  if mode in _READ_BY['config']:
    return 'give --config too'
  name, _, value = arg.rpartition('config.')[2].partition('=')
  return f'a run keeps its config; --mode={mode} reads none' + (
      f'; did you mean --{name}={value}?' * (mode in _READ_BY.get(name, ())))


def _why(arg, error) -> str:
  """Why absl refuses a flag, without naming the flag once more."""
  from gan_jax.base.lookup import near
  name, _, value = arg.lstrip('-').partition('=')
  if isinstance(error, flags.UnrecognizedFlagError):
    return f'no such flag{_meant(name, value)}'
  if name == 'mode' and value:
    return f'no such mode{near(value, MODES)}'
  said = str(error).removeprefix(f'flag --{arg.lstrip("-")}: ')
  kind = next((kind for kind, known, *_ in _FLAGS if known == name), None)
  needed = {_INT: 'a whole number', flags.DEFINE_float: 'a number',
            _SWITCH: 'true or false'}
  return f'must be {needed[kind]}' if '=' in arg and kind in needed else said


def _meant(name, value) -> str:
  """A hint for a flag that does not exist: another, or a key of the config."""
  from gan_jax.config import fields, hints, recipe
  from gan_jax.config.keys import COMPONENTS
  name = name.replace('-', '_')
  if here := hints.translated(name, value or '...'):
    return f'; did you mean {" and ".join(map(_as_flag, here))}?'
  value = f'={value}' * bool(value)
  if name in COMPONENTS:
    return (f'; did you mean --config=dcgan:{name}{value or "=NAME"}, after '
            'the colon?')
  paths = list(fields.flat(recipe.base().to_dict()))
  found = [path for path in paths if path.rpartition('.')[2] == name] or (
      hints.spoken(name, paths))
  found = [f'config.{path}' for path in found] or difflib.get_close_matches(
      name, [*_READ_BY, 'mode', *(f'config.{path}' for path in paths)], n=1)
  if not found:
    return '; --help lists them'
  return f'; did you mean --{found[0]}{value}?' + (
      f' Or --{", --".join(found[1:])}?' if found[1:] else '')


def _as_flag(text) -> str:
  """key=value of a config as a flag; flags and variables as they are."""
  return f'--config.{text}' if text[0].islower() else text


def _hint(arg, mode):
  if arg in MODES:
    return f'; did you mean --mode={arg}?'
  from gan_jax.config import recipe
  from gan_jax.config.keys import COMPONENTS
  name, equals, value = arg.partition('=')
  if equals and name in COMPONENTS:
    return _meant(name, value)
  name = arg.partition(':')[0]
  if name.endswith('.py') or name in recipe.names():
    return f'; did you mean --config={arg}?'
  if mode in _LOOK.split() and os.path.exists(arg) and not os.path.exists(
      os.path.join(arg, 'config.json')):
    return f'; did you mean --images={shlex.quote(arg)}?'
  if os.path.isdir(arg):
    return f'; did you mean --workdir={shlex.quote(arg)}?'
  return ''


def _define():
  values = flags.FlagValues()
  for kind, name, default, modes, text in _FLAGS:
    known = '' if name == 'help' else f' (Read by {", ".join(modes.split())}.)'
    kind(name, default, text + known, flag_values=values,
         short_name='h' if name == 'help' else None)
  flags.DEFINE_enum('mode', 'train', MODES, 'What to do.',
                    flag_values=values)
  return values
