"""gan_jax: generative adversarial networks in JAX.

From Python: `gan_jax.load`, `train`, `score`, `compare` and `get_config`, of
`gan_jax.views.api`. They are imported when they are used, so that to import
gan_jax takes no time and starts no device.
"""

__version__ = '0.1.0'
__all__ = ['compare', 'get_config', 'load', 'score', 'train']


def __getattr__(name):
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  from gan_jax.views import api
  return getattr(api, name)
