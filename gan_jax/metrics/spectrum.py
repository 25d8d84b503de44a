"""Power of images at each spatial frequency."""

import numpy as np

_VALUES = 2**22  # transformed at a time


def power_spectrum(images) -> tuple[np.ndarray, np.ndarray]:
  """Radially averaged power spectra.

  Durall et al. 2020, https://arxiv.org/abs/2003.01826, eq. 2-3: the squared
  magnitude of the discrete Fourier transform, averaged over all directions. We
  divide by the number of pixels, so that white noise of variance v has power v
  at all frequencies, and average the channels' spectra instead of converting
  colours to grey. Ring r holds the frequencies that round to r cycles per
  shorter side. Ring 0, the mean brightness, is left out; the corners beyond 1/2
  cycle per pixel, where checkerboards are, are not.

  Args:
    images: uint8 [N, H, W, C]; 255 is 1.

  Returns:
    (frequency [R] in cycles per pixel, power float64 [N, R]); R is 0 for images
    of one pixel.
  """
  images = np.asarray(images)
  height, width = images.shape[1:3]
  # A side of one pixel has no frequencies.
  side = min((s for s in (height, width) if s > 1), default=1)
  radius = side * np.hypot(np.fft.fftfreq(height)[:, None],
                           np.fft.fftfreq(width)[None])
  rings, ring = np.unique(np.rint(radius), return_inverse=True)
  ring = ring.ravel()
  size = np.bincount(ring)
  chunk = max(1, _VALUES // images[0].size)
  found = []
  for i in range(0, len(images), chunk):
    part = images[i:i + chunk].astype(np.float64) / 255.0
    power = np.abs(np.fft.fft2(part, axes=(1, 2))) ** 2 / (height * width)
    found += [np.bincount(ring, weights=p.ravel()) / size
              for p in power.mean(3)]
  return rings[1:] / side, np.array(found)[:, 1:]
