#!/usr/bin/env bash
# One would guess: augmax.RandomSizedCrop never looks beyond the image: the default
# is prevent_underzoom=True, "whether to prevent zooming beyond the image size".
# What happens: the lowest zoom that fits is taken as a logarithm, log(crop / image),
# where a factor is meant. That is 0 for a crop as large as the image, and so the
# range of the defaults, 0.5 to 2, is not cut: a white image gets a black border in
# half of the cases, up to three quarters of its area, just as without prevention.
# Who is hurt: whoever augments the images of a GAN: it learns to draw black borders.
# Metrics of augmented images count them too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 augmax==0.4.1
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import augmax
import jax
import jax.numpy as jnp
import numpy as np

white = jnp.ones((32, 32, 1))
keys = jax.random.split(jax.random.key(0), 1000)


def black(**how):
  """Share of black pixels in each of 1,000 crops of a white image."""
  crop = augmax.Chain(augmax.RandomSizedCrop(32, 32, **how))
  images = np.asarray(jax.jit(jax.vmap(crop, (0, None)))(keys, white))
  return (images == 0).mean((1, 2, 3))


print('augmax', importlib.metadata.version('augmax'))
found = {'the defaults': black(),
         'prevent_underzoom=False': black(prevent_underzoom=False),
         'zoom_range=(1, 2)': black(zoom_range=(1.0, 2.0))}
for name, share in found.items():
  print(f'{name}: {(share > 0).mean():.0%} of the crops have black pixels, at '
        f'most {share.max():.0%} of the area')
assert (found['the defaults'] == found['prevent_underzoom=False']).all()
assert (found['the defaults'] > 0).mean() > 0.4
assert found['the defaults'].max() > 0.6
assert (found['zoom_range=(1, 2)'] > 0).mean() == 0
PY
