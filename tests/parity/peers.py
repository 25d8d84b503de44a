"""The other programs: which, at what commit, and how they are imported.

`python tests/parity/peers.py` prints a line `NAME URL COMMIT` for each, which
experiments/parity/run.sh checks out. PARITY_PEERS names the folder of these.
"""

import contextlib
import importlib
import os
import sys
import types
from typing import NamedTuple


class Peer(NamedTuple):
  """A program that is not a package of PyPI, or not a usable one.

  repository: owner/name on GitHub.
  source: the folder in it that its imports start from.
  hollow: packages whose __init__ is not run: TF-GAN's wants tf.estimator, which
    TensorFlow has dropped, mimicry's much for its pictures.
  """

  name: str
  repository: str
  commit: str
  source: str = ''
  hollow: tuple[str, ...] = ()

  @property
  def folder(self) -> str:
    """Where it is checked out."""
    return os.path.join(os.environ['PARITY_PEERS'],
                        self.repository.split('/')[1])

  @property
  def link(self) -> str:
    """The commit on GitHub."""
    return f'https://github.com/{self.repository}/tree/{self.commit}'


STUDIOGAN = Peer('StudioGAN', 'POSTECH-CVLab/PyTorch-StudioGAN',
                 '947b35e9835b67860fdce44d337f6d7fee7c8db3', 'src')
R3GAN = Peer('R3GAN', 'brownvc/R3GAN',
             '19a7ddf463fbac2bd39b4c1c73d63f1c441c7403')
STYLEGAN2_ADA = Peer('StyleGAN2-ADA', 'NVlabs/stylegan2-ada-pytorch',
                     'd72cc7d041b42ec8e806021a205ed9349f87c6a4')
TFGAN = Peer('TF-GAN', 'tensorflow/gan',
             'bc369b7ec040f2c4f04e4daf29f60252118e72c7', hollow=(
                 'tensorflow_gan', 'tensorflow_gan.python',
                 'tensorflow_gan.python.losses', 'tensorflow_gan.python.eval',
                 'tensorflow_gan.python.features'))
MIMICRY = Peer('mimicry', 'kwotsin/mimicry',
               'a7fda06c4aff1e6af8dc4c4a35ed6636e434c766',
               hollow=('torch_mimicry', 'torch_mimicry.metrics'))
DIFFAUGMENT = Peer('DiffAugment', 'mit-han-lab/data-efficient-gans',
                   '0b6339510be1e3859d360cbf464d0a425514a6b4')
PEERS = (STUDIOGAN, R3GAN, STYLEGAN2_ADA, TFGAN, MIMICRY, DIFFAUGMENT)

# Their modules, which are named alike: `utils`, `training`, `metrics`.
_LOADED: dict[str, dict] = {}


def load(peer: Peer, module: str):
  """A module of a peer, with none of the other peers' in sight."""
  with alone(peer):
    return importlib.import_module(module)


@contextlib.contextmanager
def alone(peer):
  """The modules of one peer can be imported, and no other's."""
  root = os.path.join(peer.folder, peer.source)
  if not os.path.isdir(root):
    raise FileNotFoundError(f'{root}: no checkout of {peer.repository} there; '
                            'experiments/parity/run.sh makes it')
  own = _LOADED.setdefault(peer.name, {
      name: _hollow(root, name) for name in peer.hollow})
  before = set(sys.modules)
  sys.modules.update(own)
  sys.path.insert(0, root)
  try:
    yield
  finally:
    sys.path.remove(root)
    for name in set(sys.modules) - before:
      if _within(sys.modules[name], peer.folder):
        own[name] = sys.modules.pop(name)


def _hollow(root, name):
  module = types.ModuleType(name)
  module.__path__ = [os.path.join(root, *name.split('.'))]
  return module


def _within(module, folder):
  try:
    places = [getattr(module, '__file__', None), *getattr(
        module, '__path__', ())]
  except TypeError:  # What PyTorch puts in sys.modules is not always a module.
    return False
  return any(str(place).startswith(folder) for place in places)


if __name__ == '__main__':
  for each in PEERS:
    print(each.repository.split('/')[1],
          f'https://github.com/{each.repository}', each.commit)
