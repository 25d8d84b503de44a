"""Populations: runs that differ in seeds or numbers, trained as one program.

`population=8` makes eight members with the seeds seed, seed + 1, ...; a list in
place of a number, as gen_optimizer.learning_rate=[1e-4, 2e-4], makes a member
for each of its values. Both together, and several lists, go side by side.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, Problem
from gan_jax.config import experiment, fields, keys, tracing
from gan_jax.config.build import labels_like, make_game
from gan_jax.config.experiment import Experiment
from gan_jax.config.keys import ARRAYS, KEYS, SWITCHES
from gan_jax.game.rules import Game
from gan_jax.game.state import MEMBERS
from gan_jax.game.step import step_of

_SWEEP = 'run one after the other what differs otherwise: experiments/sweep.sh'


class Population(NamedTuple):
  """Members that train together; a lone run is a population of one.

  members: each as it would be alone.
  devices: how many share the batch of a member, also when some train alone.
  numbers: {path: float32 [M]} of the lists in the config.
  game: {path: float32 []} -> `Game` of one member.
  step: as `Experiment.step`, with the `numbers` of one member.
  init: (seeds uint32 [M], numbers) -> `stack`ed state before the first step.
  """

  members: tuple[Experiment, ...]
  devices: int
  numbers: dict
  game: Callable
  step: Callable
  init: Callable

  def alone(self, why: str) -> Experiment:
    """The only member; ConfigError, which says `why`, if there are several."""
    if len(self.members) > 1:
      raise ConfigError.saying(f'a list makes a population, and {why}')
    return self.members[0]

  def some(self, indices) -> 'Population':
    """The members of some indices."""
    rows = np.array(indices, int)
    return self._replace(
        members=tuple(self.members[i] for i in indices),
        numbers={path: values[rows] for path, values in self.numbers.items()})


def load(config: Any) -> Population:
  """Builds all members of a config, without compiling.

  Raises:
    ConfigError, DataError: as `experiment.load`; lists of different lengths,
      or of numbers that members must share.
  """
  config = fields.plain(config)
  lists, problems = _lists(config)
  problems += _counts(config, lists)
  if problems:
    raise ConfigError(problems)
  configs = _configs(config, lists)
  # Keys may be missing or wrong, which the load of a member says.
  if len(configs) > 1 and fields.at(config, 'watchdog.policy') == 'rollback':
    raise ConfigError([Problem(
        'watchdog.policy', 'rollback', 'members go through their steps '
        'together, so none can go back; use warn or stop')])
  if len(configs) > 1 and config.get('shard') == 'state':
    raise ConfigError([Problem(
        'shard', 'state', 'members are spread over the devices whole; use '
        'none')])
  members, devices = [], parallel.device_count(len(configs))
  for each in configs:
    try:
      members.append(experiment.load(each, devices=devices,
                                     like=members[0] if members else None))
    except ConfigError as e:
      problems += [p for p in e.problems if p not in problems]
  if problems:
    raise ConfigError(problems)
  numbers = {path: np.array(values, np.float32)
             for path, values in lists.items()
             # A switch that is off for all stays off.
             if path != 'seed' and (path not in SWITCHES or any(values))}
  one = members[0]
  found = Population(tuple(members), devices, numbers, partial(_game, one),
                     partial(_step, one), partial(_init, one))
  if numbers:
    _trace(found)
  return found


def describe(population: Population) -> str:
  """Text of --dry_run: the first member's, and what differs between them."""
  text, members = experiment.describe(population.members[0]), population.members
  if len(members) == 1:
    return text
  seeds = ', '.join(str(member.config['seed']) for member in members)
  return '\n'.join([
      text, f'population: {len(members)} members at once, each with such a '
      'state', f'  seed: {seeds}', *(
          f'  {path}: {", ".join(f"{v:g}" for v in values)}'
          for path, values in population.numbers.items())])


def _game(one, numbers) -> Game:
  return make_game(one.config, one.info, one.train_steps, numbers=numbers
                   ) if numbers else one.game


def _step(one, state, batch, key, *, pmean=lambda tree: tree,
          numbers: Mapping = {}):
  step = step_of(_game(one, numbers), one.config['updates'])
  return step(state, batch, key, pmean=pmean)


def _init(one, seeds, numbers):
  def init(seed, numbers):
    return experiment.first_state(_game(one, numbers), one.info, seed)

  return jax.jit(jax.vmap(init, out_axes=MEMBERS))(
      jnp.asarray(seeds, jnp.uint32), numbers)


def _lists(config) -> tuple[dict, list[Problem]]:
  """{path: values} of the lists of members, and those where none may be."""
  lists, problems = {}, []
  for path, value in fields.flat(config).items():
    if not (isinstance(value, tuple) and value and all(
        isinstance(v, (int, float)) and not isinstance(v, bool)
        for v in value)):
      continue
    default = _default(config, path)
    if isinstance(default, bool) or not isinstance(default, (int, float)):
      continue  # A tuple by right, or an error that others report.
    if may_differ(config, path):
      lists[path] = value
    else:
      problems.append(Problem(
          path, value, 'members share this: a list is for a number that the '
          'step takes as an array (seed, rates and betas, weights, arguments '
          f'of losses and penalties, EMA); {_SWEEP}'))
  for path in {*lists} & {*SWITCHES}:
    if not all(lists[path]) and any(lists[path]):
      problems.append(Problem(path, lists[path], '0 turns it off, for all '
                              'members or for none'))
  return lists, problems


def may_differ(config: Mapping, path: str) -> bool:
  """Whether members may have values of their own at a path, as far as is known.

  A component may still need a plain number there, which `load` finds.
  """
  key = path.split('.')[0].split('[')[0]
  return path == 'seed' or key in ARRAYS and isinstance(
      _default(config, path), float)


def _default(config, path):
  """As `keys.default`, and 0.0 for numbers without one."""
  argument = path.partition('.')[2]
  if argument in ('weight', 'learning_rate') or path.endswith('_value'):
    return 0.0  # The last is of a schedule.
  found = keys.default(config, path)
  return 0.0 if found is None and '_optimizer.' in path else found


def _counts(config, lists) -> list[Problem]:
  size = config.get('population', 1)
  holds, rule = KEYS['population'].values
  if not holds(size):
    return [Problem('population', size, rule)]
  lengths = {path: len(values) for path, values in lists.items()}
  if size > 1:
    lengths['population'] = size
  if len({*lengths.values()}) < 2:
    return []
  said = ', '.join(f'{path} {count}' for path, count in lengths.items())
  return [Problem(path, values, f'one value for each member: there are {said}')
          for path, values in lists.items()]


def _configs(config, lists) -> list[dict]:
  """The config of each member, as if it ran alone."""
  seeds, configs = config.get('population', 1), []
  alone = {k: v for k, v in config.items() if k != 'population'}
  for i in range(max([seeds, *map(len, lists.values())])):
    own = {path: values[i] for path, values in lists.items()}
    if ('seed' not in lists and seeds > 1
        and KEYS['seed'].values[0](config.get('seed'))):
      own['seed'] = (config['seed'] + i) % 2**32
    each = alone
    for path, value in own.items():
      each = fields.put(each, path, value)
    configs.append(each)
  return configs


def _trace(population) -> None:
  """Traces a step with the numbers as arrays.

  Raises:
    ConfigError: a component needs one of them as a plain number.
  """
  one = population.members[0]
  batch = tracing.shapes_of_batch(one.game, one.info.image_shape,
                                  labels_like(one.info, 2 * one.game.packing))

  def step(state, batch, numbers):
    return population.step(state, batch, jax.random.key(0), numbers=numbers)[0]

  played, state = parallel.everywhere(step, parallel.own_mesh()), one.init

  def failure(*paths):
    numbers = dict.fromkeys(paths, jax.ShapeDtypeStruct((), jnp.float32))
    try:
      jax.eval_shape(played, jax.eval_shape(state), batch, numbers)
    except ConfigError as e:
      said = e.problems[0].rule
    except Exception as e:  # User components may raise anything.
      said = lookup.failure(e)
    else:
      return ''
    first, *more = said.split('\n')  # JAX says more, a user's lines are last.
    return '\n'.join([first.rstrip('.'), *(
        line for line in more if line.startswith('    '))])

  if not failure(*population.numbers):
    return  # Together, as a trace takes a second; else which of them it is.
  problems = [Problem(
      path, tuple(fields.at(m.config, path) for m in population.members),
      f'cannot differ between members ({_SWEEP}), as its component takes no '
      f'array: {why}')
              for path in population.numbers if (why := failure(path))]
  if problems:
    raise ConfigError(problems)
