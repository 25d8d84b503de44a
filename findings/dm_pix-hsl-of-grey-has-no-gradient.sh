#!/usr/bin/env bash
# One would guess: a change of colours through HSL can be trained through, as one by
# HSV in the same library can.
# What happens: the gradient of dm_pix.rgb_to_hsl is NaN at each pixel of one grey,
# black and white among them: the value is right, but a branch that is not taken
# divides by the pixel's range, 0. That of rgb_to_hsv is finite everywhere.
# Who is hurt: whoever augments what a generator draws: one black pixel, and all
# weights of the generator are NaN after the step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 dm-pix==0.4.5
"$folder/venv/bin/python" - <<'PY'
import dm_pix
import jax
import jax.numpy as jnp
import numpy as np

pixels = {'a colour': (0.2, 0.6, 0.4), 'grey': (0.5, 0.5, 0.5),
          'black': (0.0, 0.0, 0.0), 'white': (1.0, 1.0, 1.0)}


def gradient(there, back, pixel):
  image = jnp.asarray(pixel)[None, None]
  there_and_back = lambda x: jnp.sum(back(there(x)) ** 2)
  value = np.allclose(back(there(image)), image, atol=1e-5)
  return value, np.asarray(jax.grad(there_and_back)(image))


print('dm_pix', dm_pix.__version__, 'there and back')
for name, pixel in pixels.items():
  (right, hsl), (_, hsv) = (
      gradient(dm_pix.rgb_to_hsl, dm_pix.hsl_to_rgb, pixel),
      gradient(dm_pix.rgb_to_hsv, dm_pix.hsv_to_rgb, pixel))
  print(f'{name}: the same pixel: {right}; gradient by HSL', hsl.ravel(),
        'by HSV', hsv.ravel())
  assert right and np.isfinite(hsv).all()
  assert np.isnan(hsl).any() == (name != 'a colour')
PY
