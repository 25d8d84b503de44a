#!/usr/bin/env bash
# One would guess: psnr, ssim and rmse of image-similarity-measures take the range of
# two images from their dtype: 255 for bytes.
# What happens: max_p=4095, the range of 12-bit satellite data, is the default for every
# dtype, without a warning. PSNR of bytes is 24.1 dB too high, SSIM's constants are 258
# times too large (4095 ** 2 / 255 ** 2), and RMSE is a part of 4095. Two images of
# independent noise have a PSNR of 32 dB and an SSIM of 0.57 instead of 8 and 0.
# Who is hurt: whoever reports reconstructions by them: the numbers look far better than
# those of other papers. max_p=255 is right for bytes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q image-similarity-measures==0.3.6 \
  numpy==1.26.4 scikit-image==0.20.0 opencv-python==4.11.0.86
"$folder/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import warnings

import numpy as np
from image_similarity_measures.quality_metrics import psnr, rmse, ssim

warnings.simplefilter('error')  # The import alone warns, of a missing pyfftw.
a, b = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype='uint8')
error = np.sqrt(((a.astype(float) - b) ** 2).mean())
print('image-similarity-measures',
      importlib.metadata.version('image-similarity-measures'))
for peak, options in ((4095, {}), (255, {'max_p': 255})):
  decibels, similarity, part = (f(a, b, **options) for f in (psnr, ssim, rmse))
  print(f'two images of noise, bytes, options {options}: PSNR {decibels:.2f} dB,',
        f'SSIM {similarity:.3f}, RMSE {part:.4f}')
  assert np.isclose(decibels, 20 * np.log10(peak / error), atol=1e-3)
  assert np.isclose(part, error / peak, rtol=1e-2)
  assert similarity > 0.5 if peak == 4095 else abs(similarity) < 0.05
PY
