"""Files of networks with random weights, for projected discriminators."""

import numpy as np
from safetensors.numpy import save_file

from gan_jax.extractors import backbones


def classifier(path, channels=1) -> str:
  """As `extractors.cnn` caches it, of two layers that halve."""
  rng = np.random.default_rng(0)
  shapes = {'Conv_0/kernel': (4, 4, channels, 3),
            'Conv_1/kernel': (3, 3, 3, 4), 'Conv_2/kernel': (4, 4, 4, 5),
            'Dense_0/kernel': (7, 2)}
  tensors = {name: rng.normal(0, 0.3, shape)
             for name, shape in shapes.items()}
  for i, width in enumerate((3, 4, 5)):
    tensors[f'Norm_{i}/LayerNorm_0/scale'] = rng.normal(1, 0.2, (width,))
    tensors[f'Norm_{i}/LayerNorm_0/bias'] = rng.normal(0, 0.2, (width,))
  tensors |= {'mean': 33.0, 'std': 78.0}
  save_file({k: np.asarray(v, np.float32) for k, v in tensors.items()}, path)
  return str(path)


def efficientnet(path, **other) -> str:
  """With timm's names; `other` replaces tensors, None leaves them out."""
  rng = np.random.default_rng(0)
  tensors = {}
  for name, norm, (height, width, inputs, outputs) in (
      backbones.efficientnet_table()):
    shape = outputs, inputs, height, width
    tensors[f'{name}.weight'] = rng.normal(
        0, (height * width * inputs) ** -0.5, shape)
    tensors[f'{norm}.weight'] = rng.uniform(0.8, 1.2, outputs)
    tensors[f'{norm}.bias'] = rng.normal(0, 0.1, outputs)
    tensors[f'{norm}.running_mean'] = rng.normal(0, 0.1, outputs)
    tensors[f'{norm}.running_var'] = rng.uniform(0.5, 1.5, outputs)
  tensors |= other
  save_file({k: np.float32(v) for k, v in tensors.items() if v is not None},
            path)
  return str(path)
