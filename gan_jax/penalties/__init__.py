"""Regularisers, and all else that is added to the adversarial loss.

A factory returns a function of what it NAMES as parameters, `penalty(critic,
real, fake, keys) -> [B]` for example, which is added to the discriminator's
loss; or a `Regulariser`, whose functions may be added to the generator's loss
too, and may remember something. The step takes the mean of the [B]; weight and
interval come from the config. What can be named:

* real, fake: images [B, H, W, C];  label: [B] int32;  z: latents [B, Z];
* keys: [B], a random key for each example;
* critic: images -> logits [B], critique: images -> Critique, with the
  parameters and labels of the step bound, and augmented as the real images are;
  fake_critic: augmented as the generated ones are;
* real_out, fake_out: the Critique of real and fake;
* params: of the player that is updated;  step: steps done so far;
* memory: what the regulariser remembers for this player; such a function
  returns ([B], the memory after the update);
* generate: latents -> images; in a generator's term the gradient goes through
  its parameters.

A factory may ask for `batch_mean`, the mean over the examples of all devices,
and `batch_all`, the examples of all devices.
"""

from gan_jax.penalties.consistency import bcr, cr, icr, zcr
from gan_jax.penalties.gradients import (
    dragan,
    max_gp,
    r1,
    r2,
    wgan_div,
    wgan_gp,
)
from gan_jax.penalties.heads import (
    acgan,
    adc_gan,
    contragan,
    infogan,
    reacgan,
    tac_gan,
)
from gan_jax.penalties.remembering import (
    historical_averaging,
    lecam,
    path_length,
)
from gan_jax.penalties.semi import semi_supervised
from gan_jax.penalties.simple import (
    drift,
    feature_matching,
    orthogonal,
    pulling_away,
)
from gan_jax.penalties.term import Regulariser, Term

__all__ = [
    'Regulariser', 'Term', 'acgan', 'adc_gan', 'bcr', 'contragan', 'cr',
    'dragan', 'drift', 'feature_matching', 'historical_averaging', 'icr',
    'infogan', 'lecam', 'max_gp', 'orthogonal', 'path_length', 'pulling_away',
    'r1', 'r2', 'reacgan', 'semi_supervised', 'tac_gan', 'wgan_div', 'wgan_gp',
    'zcr']
