"""Draws chest phantoms to try configs/xray.py with: no patient is in them.

  python experiments/xray/phantoms.py FOLDER [--count=851] [--side=1024]
  ... --lesions=1              a round shadow in a lung of each

Bright body, dark lungs, ribs, spine and heart by random ellipses and arcs,
attenuated as X-rays are (exp of minus the sum of what they pass), with noise.
The files are as mixed as those of real folders: 8-bit grey, 16-bit grey, RGBA,
portrait and square.
"""

import argparse
import os

import numpy as np
from PIL import Image


def phantom(rng, height, width, lesions=0):
  """One picture, float32 [height, width] in [0, 1].

  lesions: round shadows in the lungs; a picture of the same seed has none of
    them, and other noise.
  """
  y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j].astype(np.float32)
  x = x + rng.normal(0, 0.03) + rng.normal(0, 0.04) * y
  jitter = lambda size: 1.0 + rng.normal(0, size)  # noqa: E731 -- a shorthand

  def ellipse(cx, cy, rx, ry, soft=0.06):
    distance = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
    return 0.5 - 0.5 * np.tanh((distance - 1.0) / (2 * soft))

  size = jitter(0.07)
  body = ellipse(0, 0.35, 0.95 * size, 1.35, 0.03)
  body = np.maximum(body, ellipse(0, -0.9, 0.28, 0.5, 0.05))
  depth = 1.1 * body
  top, reach = rng.normal(-0.05, 0.05), 0.62 * jitter(0.07)
  for side in (-1, 1):
    lung = ellipse(side * 0.42 * size, top, 0.31 * size, reach)
    depth -= 0.75 * jitter(0.05) * lung
    for i in range(7):
      # A rib is an arc that falls away from the spine.
      centre = -0.62 + 0.2 * i + 0.22 * side * x / size
      rib = np.exp(-((y - centre - 0.1 * rng.normal(0, 0.1)) / 0.028) ** 2)
      depth += 0.16 * rib * ellipse(side * 0.42 * size, 0.0, 0.44, 0.85)
  spine = np.exp(-(x / 0.085) ** 2) * (0.8 + 0.2 * np.sin(34 * y))
  depth += 0.55 * spine * body
  heart = ellipse(0.13 * size, 0.28 + rng.normal(0, 0.04),
                  0.27 * jitter(0.15), 0.3 * jitter(0.1), 0.1)
  depth += 0.5 * heart * body
  depth += 0.6 * ellipse(-0.3, 1.0, 0.9, 0.42 * jitter(0.1), 0.08) * body
  for side in (-1, 1):
    collar = np.exp(-((y + 0.72 - 0.12 * side * x) / 0.03) ** 2)
    depth += 0.2 * collar * ellipse(side * 0.4, -0.72, 0.36, 0.2)
  for _ in range(lesions):
    side, angle = rng.choice((-1, 1)), rng.uniform(0, 2 * np.pi)
    away, radius = 0.65 * np.sqrt(rng.random()), rng.uniform(0.05, 0.1)
    depth += 0.4 * ellipse(
        side * 0.42 * size + 0.31 * size * away * np.cos(angle),
        top + reach * away * np.sin(angle), radius, radius, 0.12)
  picture = 1.0 - np.exp(-1.1 * np.clip(depth, 0, None))
  picture += rng.normal(0, 0.012, picture.shape)
  return np.clip(picture * jitter(0.05), 0, 1).astype(np.float32)


def save(path, picture, kind):
  """Writes one of the forms that such folders hold."""
  byte = np.rint(picture * 255).astype(np.uint8)
  if kind == '16-bit':
    Image.fromarray(np.rint(picture * 65535).astype(np.uint16)).save(path)
  elif kind == 'RGBA':
    opaque = np.full_like(byte, 255)
    Image.fromarray(np.stack([byte] * 3 + [opaque], -1)).save(path)
  else:
    Image.fromarray(byte).save(path)


def main():
  """Draws them."""
  parser = argparse.ArgumentParser()
  parser.add_argument('folder')
  parser.add_argument('--count', type=int, default=851)
  parser.add_argument('--side', type=int, default=1024)
  parser.add_argument('--lesions', type=int, default=0)
  args = parser.parse_args()
  os.makedirs(args.folder, exist_ok=True)
  for i in range(args.count):
    rng = np.random.default_rng(i)
    kind = rng.choice(['grey', '16-bit', 'RGBA'], p=[0.8, 0.12, 0.08])
    height = args.side if rng.random() < 0.7 else args.side * 5 // 4
    save(os.path.join(args.folder, f'phantom_{i:04d}.png'),
         phantom(rng, height, args.side, args.lesions), kind)


if __name__ == '__main__':
  main()
