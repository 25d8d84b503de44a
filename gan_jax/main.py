"""Trains and samples GANs: python -m gan_jax.main --config=configs/dcgan.py."""

import contextlib
import logging
import os
import re
import sys

from absl import logging as absl_logging

from gan_jax.base.errors import (
    ConfigError,
    ProcessGroupError,
    RequestError,
    UserError,
    WorkdirError,
)
from gan_jax.base.files import check_out, refused
from gan_jax.config import command_line
from gan_jax.run import lock, signals


def main(argv: list[str]) -> int:
  """Runs the command line `argv`: program name and arguments.

  Returns:
    The exit status: 0; 2 for an error in the command line or config, 3 in the
    data, 4 in the run; 143, 130 or 85 after SIGTERM, SIGINT or SIGUSR1, with a
    checkpoint: rerun the command to resume.
  """
  # Matplotlib's cache; importing a config may import Matplotlib.
  os.environ.setdefault('MPLCONFIGDIR', os.path.expanduser(
      '~/.cache/gan_jax/matplotlib'))
  if os.environ.get('JAX_NUM_CPU_DEVICES', '1') != '1':
    # With fewer threads than devices, collectives on CPU can dead-lock.
    os.environ.setdefault('NPROC', '16')
  logging.basicConfig(format='%(message)s', force=True)
  # Orbax is verbose, and logs the traceback of each error that it raises.
  absl_logging.set_verbosity('fatal')
  # So does asyncio, of all other arrays when one could not be written.
  logging.getLogger('asyncio').setLevel(logging.CRITICAL)
  logging.getLogger('gan_jax').setLevel(logging.INFO)
  line = command_line.parse(argv)
  if line.flags.help:
    return _show(__doc__ + command_line.usage(line.flags))
  if line.flags.mode != 'train' or line.flags.dry_run:
    return _act(line)
  # Imported late: --help and flag errors need no JAX.
  from gan_jax.run import processes
  try:
    group = processes.join(line.flags.coordinator, line.flags.num_processes,
                           line.flags.process_id)
  except ProcessGroupError as e:
    return _fail(ConfigError.status, [str(e)])
  try:
    status = _act(line, group)
  except ProcessGroupError as e:
    status = _fail(e.status, [str(e)])
    group.leave(status, lost=isinstance(e, processes.LostProcessError))
    return status
  except Exception as e:
    group.abort(e)
    raise
  group.leave(status)
  return status


def _act(line, group=None) -> int:
  """Runs the mode; returns the exit status; raises ProcessGroupError."""
  # Thousands of runs are listed in less time than JAX takes to start.
  if line.flags.mode != 'compare':
    from gan_jax import parallel
    parallel.use_compilation_cache()
  views = {'sample': _sample, 'evaluate': _evaluate, 'report': _report,
           'compare': _compare, 'inspect': _inspect, 'export': _export,
           'explore': _explore, 'invert': _invert,
           'outliers': _outliers, 'complete': _complete}
  studies = {'advise': _advise, 'judge': _judge, 'search': _search}
  mode = line.flags.mode
  try:
    if mode == 'train':
      return _train(line, group)
    if line.problems:
      return _fail(ConfigError.status, line.problems)
    folder, out = line.flags.workdir, line.flags.out
    if out:
      check_out(out, folder=mode in ('inspect', 'report', 'explore') or (
          mode in ('sample', 'export') and not os.path.splitext(out)[1]))
    if mode in studies and folder:
      lock.check(folder)  # Planning takes a while.
      if os.path.exists(os.path.join(folder, 'config.json')):
        raise RequestError(f'--workdir={folder} holds a run; give a folder '
                           'for the study')
    status, text = studies[mode](line) if mode in studies else (
        0, views[mode](line))
  except ProcessGroupError:
    raise
  except UserError as e:
    return _fail(e.status, [*line.problems, str(e)])
  if status and text:
    return _fail(status, [text])
  return _show(text) if text else status


def _train(line, group):
  from gan_jax.base.lookup import near
  from gan_jax.config import population
  from gan_jax.config.keys import KEYS
  from gan_jax.run import files, populations
  if line.config is None:
    return _fail(ConfigError.status, line.problems or [
        'give --config=configs/dcgan.py'])
  folder = line.flags.workdir or os.path.join('runs', line.name)
  known = {*KEYS, *files.recorded_keys(folder)}
  line.problems.extend(
      f'--allow_changed={path}: no such key{near(key, known)}'
      for path in line.flags.allow_changed
      if (key := re.split(r'[.[]', path)[0]) not in known)
  found = population.load(line.config)
  if line.problems:
    return _fail(ConfigError.status, line.problems)
  how = {key: line.flags[key].value for key in (
      'allow_changed_data', 'allow_changed', 'strict')}
  if line.flags.dry_run:
    status = _show(population.describe(found))
    populations.check(found, folder, **how)
    return status
  return populations.train(found, folder, **how, group=group)


def _advise(line):
  from gan_jax.studies import advise
  if line.config is None:
    raise RequestError('give --config=configs/dcgan.py')
  return advise.advise(
      line.config, line.flags.workdir or os.path.join(
          'runs', f'advise-{line.name}'), given=line.given)


def _search(line):
  from gan_jax.studies import search
  if line.config is None:
    raise RequestError('give --config=configs/dcgan.py:evaluator=scores')
  flags = line.flags
  how = {'trials': flags.trials, 'prune': flags.prune}
  folder = flags.workdir or os.path.join('runs', f'search-{line.name}')
  if flags.ray:
    return search.search_on_ray(flags.ray, line.given, line.folders, folder,
                                **how)
  return search.search(line.given, line.folders, folder, **how)


def _judge(line):
  from gan_jax.studies import judge
  flags = line.flags
  if not flags.idea:
    raise RequestError('give --idea=my_lab/ideas.py:my_loss, or '
                       '--idea=loss=hinge,penalty=r1')
  return judge.judge(
      flags.idea, flags.workdir, budget=flags.budget, names=flags.tasks,
      seeds=flags.seeds, seed=flags.seed)


def _sample(line):
  from gan_jax.views import sample
  flags = line.flags
  if not flags.workdir:
    raise RequestError('give the --workdir of the run to sample from')
  return sample.sample(
      flags.workdir, _out(flags, os.path.join(flags.workdir, 'samples.png')),
      count=flags.num_samples, label=flags.label, labels=flags.labels,
      seed=flags.seed, truncation=flags.truncation,
      interpolate=flags.interpolate, strict=flags.strict)


def _evaluate(line):
  from gan_jax.evaluators.score import table
  from gan_jax.views import evaluate
  flags = line.flags
  if flags.num_samples is not None and flags.num_samples < 1:
    raise RequestError(f'--num_samples={flags.num_samples} must be 1 or more')
  asked = {'extractor': flags.extractor, 'weights': flags.weights,
           'resizer': flags.resizer, 'metrics': tuple(flags.metrics),
           'num_samples': flags.num_samples or 0}
  if flags.images or flags.reference:
    if not (flags.images and flags.reference):
      raise RequestError('give both --images and --reference')
    if flags.workdir or flags.best or flags.follow:
      raise RequestError('--workdir, --best and --follow are of a run, '
                         '--images and --reference of files: give the one or '
                         'the other')
    return table(evaluate.folders(
        flags.images, flags.reference, out=flags.out,
        resize=_size(flags.resize), channels=flags.channels, **asked))
  if not flags.workdir:
    raise RequestError('give the --workdir of a run, or --images and '
                       '--reference')
  if flags.out or flags.resize or flags.channels:
    raise RequestError('--out, --resize and --channels are of --images and '
                       '--reference; the scores of a run go into its folder')
  return table(evaluate.checkpoints(flags.workdir, best=flags.best,
                                    follow=flags.follow, **asked))


def _size(texts) -> tuple[int, ...]:
  """(H, W) of a flag, () if not given."""
  # '²' is a digit, and no number.
  if not all(text.isdecimal() for text in texts) or len(texts) not in (0, 2):
    raise RequestError(f'--resize={",".join(texts)}: must be H,W, as 64,64')
  return tuple(map(int, texts))


def _report(line):
  from gan_jax.views import asked, report
  flags = line.flags
  if bool(flags.workdir) == bool(line.folders):
    raise RequestError('give the --workdir of the run to report on, or folders '
                       "of runs, for example 'runs/sweep/*'")
  if flags.port and not flags.follow:
    raise RequestError('--port is of --follow')
  if flags.out.endswith('.html'):
    raise RequestError(f'--out={flags.out}: must be a folder, for index.html '
                       'and its pictures')
  folders = [flags.workdir] if flags.workdir else report.runs(line.folders)
  if (flags.follow or len(folders) > 1) and (
      flags.extractor or flags.weights or flags['seed'].present):
    raise RequestError('--extractor, --weights and --seed are of a report on '
                       'one run, without --follow')
  if flags.follow:
    return report.follow(folders, out=flags.out, port=flags.port)
  if len(folders) > 1:
    return report.overlay(folders, out=flags.out)
  return report.report(
      folders[0], extractor=asked.extractor(flags.extractor,
                                            weights=flags.weights),
      seed=flags.seed, out=flags.out)


def _compare(line):
  from gan_jax.views import leaderboard
  if not line.folders:
    raise RequestError("give folders of runs, for example 'runs/sweep/*'")
  text = leaderboard.compare(
      line.folders, where=line.flags.where, sort=line.flags.sort,
      cost=line.flags.cost, out=line.flags.out)
  return text + (f'\nwritten to {line.flags.out}' if line.flags.out else '')


def _inspect(line):
  from gan_jax.views import inspect
  if line.config is None:
    raise RequestError('give --config=configs/dcgan.py:data=folder and '
                       '--config.data.path=FOLDER')
  out = _out(line.flags, os.path.join('runs', f'inspect-{line.name}'))
  return inspect.inspect(line.config, out)


def _export(line):
  from gan_jax.views import export
  flags = line.flags
  if not (flags.workdir and flags.out):
    raise RequestError('give the --workdir of the run to export, and '
                       '--out=F.onnx, F.stablehlo, F.safetensors or a new '
                       'folder')
  return export.export(flags.workdir, flags.out, strict=flags.strict)


def _explore(line):
  from gan_jax.views import explore
  flags = line.flags
  if not flags.workdir:
    raise RequestError('give the --workdir of the run to explore')
  return explore.explore(
      flags.workdir, _out(flags, os.path.join(flags.workdir, 'explore')),
      strict=flags.strict)


def _invert(line):
  from gan_jax.views import invert
  flags = line.flags
  if flags['likelihood'].present and not flags.posterior:
    raise RequestError('--likelihood is of the samples of --posterior=N')
  return invert.invert(*_given(line, 'inverted.npz'), samples=flags.posterior,
                       likelihood=flags.likelihood, **_how_given(flags))


def _outliers(line):
  from gan_jax.views import outliers
  return outliers.outliers(*_given(line, 'outliers.jsonl'),
                           sort=line.flags.sort, **_how_given(line.flags))


def _complete(line):
  from gan_jax.views import complete
  folder, images, out = _given(line, 'completed.npz')
  if not line.flags.mask:
    raise RequestError('give --mask, a picture that is white where pixels are '
                       'to be filled')
  return complete.complete(folder, images, line.flags.mask, out,
                           **_how_given(line.flags))


def _given(line, name):
  """The run, the images that it looks at, and where the result goes."""
  flags = line.flags
  if not (flags.workdir and flags.images):
    raise RequestError('give the --workdir of a run, and --images')
  return (flags.workdir, flags.images,
          _out(flags, os.path.join(flags.workdir, name)))


def _out(flags, usual: str) -> str:
  """--out, or the `usual` place, if it can be written: told at once."""
  if flags.out:
    return flags.out
  # Where there is no run, that is to be said.
  if os.path.isdir(flags.workdir or '.') and (why := refused(usual)):
    raise WorkdirError(f'{usual}: cannot write it: {why}; --out= writes it '
                       'elsewhere')
  return usual


def _how_given(flags):
  return {'label': flags.label, 'resize': _size(flags.resize),
          'channels': flags.channels, 'seed': flags.seed,
          'strict': flags.strict}


def _fail(status: int, messages) -> int:
  with contextlib.suppress(OSError):  # A log on the disk that is full.
    print('gan_jax: ' + '\n'.join(messages), file=sys.stderr)
  return status


def _show(text: str) -> int:
  try:
    print(text, flush=True)
  except BrokenPipeError:  # All is done: `| head` may end it without a word.
    sys.stdout = None
  except OSError as e:
    sys.stdout = None  # Or it would be tried again at the end.
    return _fail(WorkdirError.status, [
        f'cannot write what it prints: {e.strerror}'])
  return 0


def _unless_orbax(show):
  """A `sys.unraisablehook` that shows all but what Orbax leaves behind.

  Where an array cannot be written, as on a full disk, Orbax raises its error
  and ends its event loop; the threads that write the other arrays then find it
  closed, and each would print a traceback before the message that counts.
  """
  def hook(found):
    if found.object is not None or str(found.exc_value) != (
        'Event loop is closed'):
      show(found)
  return hook


def console() -> None:
  """The command gan-jax."""
  signals.before_the_run()
  sys.unraisablehook = _unless_orbax(sys.unraisablehook)
  if sys.stdout:  # What a terminal or a pipe cannot show is no error.
    sys.stdout.reconfigure(errors='backslashreplace')
  sys.exit(main(sys.argv))


if __name__ == '__main__':
  console()
