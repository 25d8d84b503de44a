"""--mode=invert: the latents of images, and of how many they may be."""

import jax
import numpy as np

from gan_jax import inference, pictures
from gan_jax.base.errors import RequestError
from gan_jax.base.examples import counted, kind_of
from gan_jax.data import values
from gan_jax.data.files import memory, printable
from gan_jax.views import given
from gan_jax.views.sample import saved
from gan_jax.views.trained import Trained

_SHOWN = 50  # images beside their reconstructions
_STARTS, _CHAINS = 8, 4  # of each image


def invert(folder: str, images: str, out: str, *, samples: int = 0,
           likelihood: str = 'gaussian', seed: int = 0, strict: bool = False,
           **how) -> str:
  """Finds the latents whose images are nearest to those given; says how near.

  By descent from several starts, one of them the encoder's, if there is one.

  Args:
    folder: of the run.
    images: a folder, .npz, ...: see `given.source`.
    out: F.npz for z [N, Z], which `Trained.generator` takes, reconstruction
      [N, ...] in the units of the data (of a table its vectors, in which the
      errors are; `Trained.generator` has the rows of z), error [N] (mean
      squared, of pixels in [0, 1]) and name [N]; with `samples` also posterior
      [N, S, Z], rhat, ess, acceptance and divergent [N], see
      `inference.posterior`. F.png shows originals and, on the right of each,
      its reconstruction.
    samples: of P(z | x) of each image, 0 for none.
    likelihood: 'gaussian', whose deviation is found from the errors,
      'gaussian:0.1' or 'bernoulli', for `samples`.
    seed: of what is random.
    strict: fail instead of using an older checkpoint if the newest is damaged.
    **how: label, resize and channels of the images, see `given.images`.

  Raises:
    WorkdirError, CheckpointError, DataError, RequestError: with a fix; nothing
      is written then.
  """
  given.check(out, '.npz', 'the arrays z, reconstruction, error and name',
              seed, images)
  if samples < 0 or 0 < samples < 4 * _CHAINS:
    raise RequestError(f'--posterior={samples}: must be {4 * _CHAINS} samples '
                       f'or more ({_CHAINS} chains), or 0 for none')
  sigma = _noise(likelihood)
  run = Trained(folder, strict=strict)
  decoder, seen = run.decoder, given.images(run, images, **how)
  if 4 * samples * decoder.size * len(seen.x) > memory():
    raise RequestError(f'--posterior={samples}: so many of {len(seen.x)} '
                       f'examples need more than the {memory():,} bytes of '
                       'memory of this machine; ask for fewer')
  descent_key, chain_key = jax.random.split(jax.random.key(seed))
  found = _inverted(run, seen, descent_key)
  made = values.from_unit(found.found, run.info.units)
  result = {'z': decoder.latent(found.u[:, 0]),
            'reconstruction': values.in_units(made, run.info.units),
            'error': found.error, 'name': np.array(seen.names)}
  error = np.sqrt(found.error)
  said = [f'{counted(kind_of(run.info.image_shape), len(seen.x))} inverted by '
          f'the generator of step {run.step}: root mean squared error '
          f'{np.median(error):.3g} (median), {error.max():.3g} (the worst, '
          f'{printable(seen.names[error.argmax()])})']
  if samples:
    more, words = _sampled(decoder, seen, found, samples, sigma, chain_key)
    result |= more
    said.append(words)
  picture = given.keep(out, saved(np.savez_compressed, **result),
                       _pairs(run, seen.stored, made))
  return '\n'.join([*said, f'in {out} and {picture}'])


def _inverted(run, seen, key):
  """The latents of `given.images`."""
  decoder = run.decoder
  first = decoder.encode and inference.each(decoder.encode, seen.x, seen.labels)
  found = inference.invert(
      decoder.decode, seen.x, seen.labels, key,
      size=decoder.size, first=first, starts=_STARTS)
  found = jax.tree.map(np.asarray, found)
  if not np.isfinite(found.error).all():
    raise RequestError(f'{run.folder}: its generator gives examples that are '
                       'not finite')
  return found


def _sampled(decoder, seen, found, samples, sigma, key):
  """(arrays for the file, words) of samples of P(z | x) of each image."""
  noise = inference.bernoulli()
  if sigma is not None:
    sigma = sigma or _found_noise(seen.x, found.found, decoder.size)
    noise = inference.gaussian(sigma)
  drawn = inference.posterior(
      decoder.decode, noise, seen.x, seen.labels, found.u, key,
      chains=_CHAINS, draws=-(-samples // _CHAINS))
  z = decoder.latent(drawn.u)
  return ({'posterior': z.reshape(len(z), -1, z.shape[-1])[:, :samples],
           'sigma': np.nan if sigma is None else sigma,
           **{key: getattr(drawn, key) for key in (
               'rhat', 'ess', 'acceptance', 'divergent')}},
          _told(drawn, samples, sigma))


def _noise(likelihood) -> float | None:
  """Deviation asked for: 0 to be found, None of Bernoulli's likelihood."""
  name, _, sigma = likelihood.partition(':')
  if likelihood == 'bernoulli':
    return None
  try:
    if name == 'gaussian' and (not sigma or 0 < float(sigma) < np.inf):
      return float(sigma or 0)
  except ValueError:
    pass
  raise RequestError(f'--likelihood={likelihood}: must be gaussian, '
                     'gaussian:0.1 (its deviation, of pixels in [0, 1]), or '
                     'bernoulli')


def _found_noise(x, found, size) -> float:
  try:
    return inference.noise_of(x, found, size)
  except ValueError as e:
    raise RequestError(f'--likelihood=gaussian: {e}, as gaussian:0.1') from e


def _told(drawn, samples, sigma) -> str:
  noise = 'Bernoulli' if sigma is None else f'noise of {sigma:.3g}'
  mixed = drawn.rhat < 1.05
  return (f'{samples} samples of P(z | x) of each, {noise}: R-hat '
          f'{np.median(drawn.rhat):.3g} (median), below 1.05 for '
          f'{mixed.sum()} of {len(mixed)}; effective '
          f'samples {np.median(drawn.ess):.0f} (median); acceptance '
          f'{drawn.acceptance.mean():.2f}; divergences '
          f'{drawn.divergent.mean():.2%}' + (
              '\nfrom 1.05 on the chains have not mixed: such samples tell of '
              'places near the optima, not of how likely each is'
              ) * (not mixed.all()))


def _pairs(run, stored, found):
  """Originals, each with its reconstruction on its right."""
  if stored.ndim == 2:
    return pictures.sheet(found, real=stored, table=run.info.columns)
  both = np.stack([stored, found], 1)[:_SHOWN].reshape(-1, *stored.shape[1:])
  return pictures.sheet(both, 10, rate=run.info.rate,
                        heads=('given', 'nearest'))
