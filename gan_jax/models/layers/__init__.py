"""What the networks are made of, `from gan_jax.models import layers`."""

from gan_jax.models.layers.batch import (
    Minibatch,
    MinibatchDiscrimination,
    MinibatchName,
    MinibatchStd,
)
from gan_jax.models.layers.choices import (
    ActivationName,
    activation,
    check_images,
    normal_around_one,
    one_of,
    squash,
)
from gan_jax.models.layers.labels import (
    Conditioning,
    Heads,
    LabelCode,
    check_labels,
    concat_label,
)
from gan_jax.models.layers.norms import (
    CONDITIONAL_NORMS,
    AnyNorm,
    Norm,
    NormName,
    conditional,
    shiftless,
)
from gan_jax.models.layers.spatial import (
    BlurPool,
    DownName,
    SelfAttention,
    average_pool,
    downsampling,
    max_pool,
    upsample,
)
from gan_jax.models.layers.weights import (
    Conv,
    ConvTranspose,
    Dense,
    WeightNormName,
)

__all__ = [
    'ActivationName', 'AnyNorm', 'BlurPool', 'CONDITIONAL_NORMS',
    'Conditioning', 'Conv', 'ConvTranspose', 'Dense', 'DownName', 'Heads',
    'LabelCode', 'Minibatch', 'MinibatchDiscrimination', 'MinibatchName',
    'MinibatchStd', 'Norm', 'NormName', 'SelfAttention', 'WeightNormName',
    'activation', 'average_pool', 'check_images', 'check_labels',
    'concat_label', 'conditional', 'downsampling', 'max_pool',
    'normal_around_one', 'one_of', 'shiftless', 'squash', 'upsample',
]
