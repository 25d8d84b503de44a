"""Looks up the components of a config: `dict(name=..., **kwargs)`.

`build('gan_jax.losses', dict(name='hinge'))` calls the public function `hinge`
of that module with the remaining keys; there is no registry.
`name='my_lab.ideas:my_loss'` imports a function from anywhere,
`name='dcgan.Generator'` looks into a module of a package.
"""

import contextlib
import difflib
import hashlib
import importlib
import inspect
import os
import pkgutil
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from gan_jax.base.errors import Problem

# Annotation of an argument that may be a schedule (a function of the step).
Number = float | Callable
NO_SUCH = 'takes no such argument'
_NAMED = re.compile(r'(?:^|[=+])([A-Za-z_][\w.]*:[A-Za-z_]\w*)')


class PlugIn(str):
  """Annotation of a string argument that may also be 'module:function'."""


def near(word: str, known: Iterable[str], meant: Iterable[str] = ()) -> str:
  """A hint for a mistyped word: '; did you mean "x"? Known: ...'.

  `meant`: names that are likelier than those of a similar spelling.
  """
  known, word = sorted(known), str(word)
  same = re.sub(r'\W', '_', word).lower()
  match = [name for name in known if name.lower() == same] or (
      [*meant][:1]) or difflib.get_close_matches(word, known, n=1) or [
      name for name in known
      if name in word.split('_')
      or word == ''.join(part[:1] for part in name.split('_'))][:1]
  hint = f'; did you mean "{match[0]}"?' if match else '.'
  if match and len(known) > 30:
    return hint
  more = f' and {len(known) - 30:,} more' if len(known) > 30 else ''
  return f'{hint} Known: {", ".join(known[:30]) or "none"}{more}'


def failure(error: BaseException, component: Callable | None = None) -> str:
  """Message of an exception, with the lines of the user's own files in it.

  If there are none, with the line that defines a user's own component.
  """
  frames = [frame for frame in traceback.extract_tb(error.__traceback__)
            if is_own(frame.filename)]
  said = str(error) or type(error).__name__
  if frames or not isinstance(error, (ValueError, TypeError)):
    said = f'{type(error).__name__}: {error}'
  if isinstance(error, SyntaxError):  # No frame is of the file itself.
    return (f'SyntaxError: {error.msg}\n    {error.filename}, '
            f'line {error.lineno}: {(error.text or "").strip()}')
  return said + (''.join(
      f'\n    {frame.filename}, line {frame.lineno}, in {frame.name}: '
      f'{frame.line}' for frame in frames[-3:]) or _definition(component))


def _definition(component):
  """Where a user's own component is defined, '' of others."""
  try:
    path = inspect.getsourcefile(component)
    lines, number = inspect.getsourcelines(component)
  except (TypeError, OSError):  # No source, such as of a partial.
    return ''
  return f'\n    {path}, line {number}: {lines[0].strip()}' * is_own(path)


def is_own(path: str) -> bool:
  """Whether a file is the user's: not of gan_jax, Python or a package."""
  homes = (os.path.dirname(os.path.dirname(__file__)),
           *(sysconfig.get_path(name) for name in (
               'stdlib', 'platstdlib', 'purelib', 'platlib')))
  return os.path.isabs(path) and not any(
      path.startswith(home + os.sep) for home in homes)


def names_own(text: str) -> bool:
  """Whether a value of a config names a function of the user's own."""
  return any(not name.startswith('gan_jax.') for name in _NAMED.findall(text))


def sources(texts: Iterable[str]) -> dict[str, str]:
  """{module: hash of its file} of users' code that texts name.

  Args:
    texts: values of configs and arguments, such as 'my_lab.ideas:my_loss' or
      'penalty=r1+my_lab.ideas:my_penalty'.

  Returns:
    16 hex digits for each module, and for those beside it that it imports;
    none of a module whose file cannot be read.
  """
  homes = []
  for text in texts:
    for full in _NAMED.findall(text):
      with contextlib.suppress(Exception):  # It may raise anything, elsewhere.
        find('', full)
        homes.append(os.path.dirname(
            sys.modules[full.partition(':')[0]].__file__))
  found = {}
  for name, module in sorted(sys.modules.items()):
    # Static: a lazy module's own __getattr__ may import much, or raise.
    path = inspect.getattr_static(module, '__file__', None)
    if isinstance(path, str) and any(path.startswith(
        os.path.join(home, '')) for home in homes) and is_own(path):
      # A file may be gone since it was imported.
      with contextlib.suppress(OSError), open(path, 'rb') as file:
        found[name] = hashlib.sha256(file.read()).hexdigest()[:16]
  return found


def names(room: str, kind: str = '') -> list[str]:
  """Names of the public callables of module `room`.

  With a kind, as in names('gan_jax.models', 'Generator'), `room` is a package
  and the names are 'module.Generator' of each module that has one.
  """
  module = importlib.import_module(room)
  if not kind:
    return [name for name in vars(module) if _is_choice(module, name)]
  return [f'{info.name}.{kind}'
          for info in pkgutil.iter_modules(module.__path__)
          if _is_choice(importlib.import_module(f'{room}.{info.name}'), kind)]


def _is_choice(module, name: str) -> bool:
  value = getattr(module, name, None)
  if name.startswith('_') or not callable(value):
    return False
  if isinstance(value, type) and issubclass(value, (tuple, BaseException)):
    return False
  home = getattr(value, '__module__', '') or ''
  return home == module.__name__ or home.startswith(module.__name__ + '.')


def find(room: str, name: str, kind: str = '') -> Callable:
  """Returns the callable of a name; room and kind as in `names`.

  Raises:
    ValueError: no such name (with near names), or 'module:function' that cannot
      be imported.
  """
  if ':' in name:
    home, _, function = name.partition(':')
    try:
      module = importlib.import_module(home)
      value = getattr(module, function, None)
    # Its file may raise anything, and may call sys.exit.
    except (Exception, SystemExit) as e:
      said = f'cannot import {function!r} from {home!r}'
      if _is_begun(e):
        raise ValueError(f'{said}: {failure(e)}') from e
      path, suffix = os.path.splitext(home)
      fix = ('the module must be on PYTHONPATH or in the folder you start from'
             if suffix != '.py' else
             f'write {path.replace("/", ".")}:{function}')
      raise ValueError(f'{said} ({e}); {fix}') from e
    if value is None:
      own = [known for known in vars(module) if _is_choice(module, known)]
      raise ValueError(f'there is no {function!r} in {home!r}'
                       f'{near(function, own)}')
    if not callable(value):
      raise ValueError(f'{function!r} of {home!r} is not callable: {value!r}')
    return value
  known = names(room, kind)
  if name not in known:
    meant = () if kind else _described_as(name, room, known)
    raise ValueError(f'no such name in {room}{near(name, known, meant)}')
  *parents, last = name.split('.')
  return getattr(importlib.import_module('.'.join([room, *parents])), last)


def _is_begun(error):
  """Whether a module's own file was found, and failed."""
  return isinstance(error, SyntaxError) or any(
      is_own(frame.filename)
      for frame in traceback.extract_tb(error.__traceback__))


def found(room: str, name: str, kind: str = '') -> Callable | None:
  """As `find`, None if there is none: for `failure`."""
  with contextlib.suppress(ValueError):
    return find(room, name, kind)


def _described_as(word, room, known):
  """Names whose docstring calls them so, as least_squares is called LSGAN."""
  module = importlib.import_module(room)
  heads = {name: (inspect.getdoc(getattr(module, name)) or '').split('.')[0]
           for name in known}
  # Of wgan-gp, the loss is WGAN's.
  return [name for word in (word, re.split(r'\W|_', word)[0])
          for name, head in heads.items()
          if word.lower() in re.findall(r'\w+', head.lower())]


def package(name: str, where: str = ''):
  """Imports an optional package; `where` pip finds it, if not by its name.

  Raises:
    ValueError: it is not installed.
  """
  try:
    return importlib.import_module(name)
  except ImportError as e:
    raise ValueError(f'needs the package {name}, which cannot be imported '
                     f'({e}): pip install {where or name}') from e


def check(room: str, spec: Any, path: str, available: Iterable[str] = (),
          kind: str = '', also: Iterable[str] = ()) -> list[Problem]:
  """Returns all problems of a spec, without building it.

  Args:
    room: module or package that has the component; with `kind` as in `names`.
    spec: the mapping from the config.
    path: its place in the config, for the messages.
    available: keyword arguments that the program supplies.
    kind: see room.
    also: further arguments that the spec may have, for near names.
  """
  if not isinstance(spec, Mapping) or not isinstance(spec.get('name'), str):
    return [Problem(path, spec, 'must be a dict(name=..., **kwargs)')]
  try:
    function = find(room, spec['name'], kind)
  except ValueError as e:
    return [Problem(f'{path}.name', spec['name'], str(e))]
  own = {k: v for k, v in spec.items() if k != 'name'}
  return check_arguments(function, own, path, available, spec['name'], also)


def check_arguments(function: Callable, arguments: Mapping, path: str,
                    available: Iterable[str] = (), name: str = '',
                    also: Iterable[str] = ()) -> list[Problem]:
  """Returns all problems of the keyword arguments of a function, as `check`."""
  found = parameters(function)
  if any(p.kind is p.VAR_KEYWORD for p in found.values()):
    return []
  problems = []
  settable = {k: p for k, p in found.items() if k not in available}
  for key, value in arguments.items():
    if key not in settable:
      problems.append(Problem(
          f'{path}.{key}', value,
          f'{name} {NO_SUCH}{near(key, [*settable, *also])}'))
    elif rule := _wrong_choice(value, settable[key].annotation):
      problems.append(Problem(f'{path}.{key}', value, rule))
    elif not (_fits(value, settable[key])
              or callable(value) and may_be_schedule(settable[key])
              or is_choice_of_types(settable[key], value)):
      wanted = 'float' if takes_floats(settable[key]) else type(
          settable[key].default).__name__
      problems.append(Problem(f'{path}.{key}', value, (
          f'must be {"an" if wanted == "int" else "a"} {wanted}')))
  missing = [k for k, p in settable.items()
             if p.default is p.empty and k not in arguments
             and p.kind is not p.VAR_POSITIONAL]
  if missing:
    spec = dict(name=name, **arguments) if name else dict(arguments)
    problems.append(Problem(path, spec,
                            f'{name} also needs {", ".join(missing)}'))
  return problems


def build(room: str, spec: Mapping, *, kind: str = '', **available):
  """Calls the function that `spec` names, in `room` and `kind` as in `names`.

  It gets the rest of the spec, and those of `available` (image_shape,
  axis_name, ...) that are among its parameters.

  Raises:
    ValueError: unknown name or argument, wrong type, an argument of the
      function's own that has the name of one in `available`, raised by the
      function, or it returns None.
  """
  problems = check(room, spec, spec.get('name', '?'), available, kind)
  if problems:
    raise ValueError('; '.join(map(str, problems)))
  function = find(room, spec['name'], kind)
  named = parameters(function)
  takes_all = any(p.kind is p.VAR_KEYWORD for p in named.values())
  kwargs = {k: v for k, v in available.items() if k in named or takes_all}
  for key in kwargs.keys() & named.keys():
    if not _may_be_given(kwargs[key], named[key]):
      raise ValueError(
          f'{spec["name"]} has an argument {key} of its own, {named[key]}, and '
          f'the program gives {key}={kwargs[key]!r}; rename yours')
  made = function(**kwargs, **{k: v for k, v in spec.items() if k != 'name'})
  if made is None:
    raise ValueError(f'{spec["name"]} returns nothing; is a return missing?')
  return made


def defaults(room: str, name: str, kind: str = '', *,
             plain: bool = True) -> dict:
  """{argument: default} of a component; if `plain`, only of plain types."""
  types = (bool, int, float, str, tuple, dict)
  return {k: p.default for k, p in parameters(find(room, name, kind)).items()
          if not plain or isinstance(p.default, types)}


def parameters(function) -> dict[str, inspect.Parameter]:
  """Parameters of a component, without those that flax adds."""
  found = dict(inspect.signature(function).parameters)
  # A metaclass that makes the objects, as flax.nnx's does, hides them.
  if isinstance(function, type) and type(function).__call__ is not (
      type.__call__):
    found = dict(inspect.signature(function.__init__).parameters)
    found.pop('self', None)
  # Of every flax module; not settings.
  if isinstance(function, type):
    found.pop('parent', None)
    found.pop('name', None)
  return found


def is_plain(number) -> bool:
  """Whether it is a Python number, not an array of members' checked ones."""
  return isinstance(number, (int, float))


def may_be_schedule(parameter: inspect.Parameter) -> bool:
  """Whether an argument is annotated as `Number`."""
  return get_args(parameter.annotation) == (float, Callable)


def takes_floats(parameter: inspect.Parameter) -> bool:
  """Whether an argument is a float by its default or annotation."""
  types = (parameter.annotation, *get_args(parameter.annotation))
  return isinstance(parameter.default, float) or (
      float in types and int not in types)


def is_choice_of_types(parameter: inspect.Parameter, *values) -> bool:
  """Whether it is annotated as a union, as `str | tuple`, that has values."""
  types = get_args(parameter.annotation)
  return (isinstance(parameter.annotation, UnionType)
          and all(isinstance(t, type) and t is not NoneType for t in types)
          and all(isinstance(value, types) for value in values))


def _wrong_choice(value, annotation) -> str:
  """Why a value is not in its annotation's Literal; '' if it is, or none."""
  parts = (annotation, *get_args(annotation))
  known = [name for part in parts if get_origin(part) is Literal
           for name in get_args(part)]
  if not known or value in known:
    return ''
  if PlugIn in parts and ':' in str(value):
    try:
      find('', value)
      return ''
    except ValueError as e:
      return str(e)
  return 'no such choice' + near(value, known)


def _may_be_given(value, parameter) -> bool:
  """Whether an argument that the program gives is of the declared type."""
  if value is None or parameter.default is not parameter.empty:
    return value is None or _fits(value, parameter)
  return parameter.annotation not in (bool, int, float, str, tuple) or (
      isinstance(value, parameter.annotation))


def _fits(value, parameter) -> bool:
  """Whether a value has the type of the default; int may stand for float."""
  default = parameter.default
  if takes_floats(parameter) and isinstance(default, int):
    default = float(default)
  if isinstance(default, bool):
    return isinstance(value, bool)
  if isinstance(default, int):
    return isinstance(value, int) and not isinstance(value, bool)
  if isinstance(default, float):
    # An array of no axes is a member's number, while a population is traced.
    return (is_plain(value) and not isinstance(value, bool)
            or getattr(value, 'shape', None) == ())
  if isinstance(default, str):
    return isinstance(value, str)
  if isinstance(default, tuple):
    return isinstance(value, (tuple, list))
  return True
