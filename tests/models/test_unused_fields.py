"""No network has a field that it does not read."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import pytest

from gan_jax.base import lookup
from gan_jax.config.keys import CHOICES

FOUND = [(kind, name) for kind in ('Generator', 'Discriminator')
         for name in lookup.names('gan_jax.models', kind)
         if name != 'none.Discriminator']


def fields_read(network, x, monkeypatch):
  """Names that code of the models reads while a network is started."""
  read = set()

  def spy(self, name):
    if '/gan_jax/models/' in sys._getframe(1).f_code.co_filename:
      read.add(name)
    return object.__getattribute__(self, name)

  with monkeypatch.context() as patch:
    patch.setattr(type(network), '__getattribute__', spy, raising=False)
    jax.eval_shape(lambda: network.init(
        jax.random.key(0), x, jnp.zeros(len(x), jnp.int32), train=True))
  return read


@pytest.mark.parametrize('kind,name', FOUND)
def test_every_field_of_a_network_is_read(kind, name, monkeypatch):
  home, shape = CHOICES[kind.lower()], (16, 16, 1)
  if name.startswith('table'):
    shape = (4,)
  conditioning = ('embedding' if kind == 'Generator' or name.startswith('auto')
                  else 'projection')
  spec = dict(name=name)
  if 'conditioning' in lookup.defaults(home.module, name, kind):
    spec['conditioning'] = conditioning
  network = lookup.build(
      home.module, spec, kind=kind, image_shape=shape,
      image_range=(-1.0, 1.0), num_classes=3, heads=(),
      row_blocks=(('number', 1), ('choice', 3)), axis_name=None,
      dtype=jnp.float32)
  x = jnp.zeros((2, 128) if kind == 'Generator' else (2, *shape))
  own = {field.name for field in dataclasses.fields(network)} - {
      'parent', 'name', *home.supplied}
  assert own <= fields_read(network, x, monkeypatch)
