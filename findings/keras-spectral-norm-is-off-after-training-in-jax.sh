#!/usr/bin/env bash
# One would guess: a kernel in keras.layers.SpectralNormalization is normalised in
# predict and evaluate as it was while fit trained it.
# What happens: the layer assigns the normalised kernel to the kernel itself, in
# training only, and afterwards uses what is there. With the JAX backend such an
# assignment within fit is lost: predict uses the kernel as the optimiser left it.
# Four layers that cannot enlarge any vector in training enlarge one four times
# after it. A call with training=True outside fit normalises the kernels.
# Who is hurt: whoever trains a network by spectral norm and evaluates it: losses,
# critics' values and samples are those of another network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 keras==3.15.1
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(512, 16)).astype(np.float32)
y = x[:, ::-1] / 2
model = keras.Sequential([keras.Input((16,))] + [
    keras.layers.SpectralNormalization(
        keras.layers.Dense(16, use_bias=False), power_iterations=10)
    for _ in range(4)])
model.compile(keras.optimizers.Adam(0.01), 'mse')


def longest():
  """How much predict enlarges a vector: the network is a matrix."""
  return np.linalg.norm(model.predict(np.eye(16, dtype=np.float32), verbose=0), 2)


print('keras', keras.__version__, 'with', keras.backend.backend())
fitted = model.fit(x, y, epochs=50, batch_size=512, verbose=0)
loss, evaluated = fitted.history['loss'][-1], model.evaluate(x, y, verbose=0)
before = longest()
model(x, training=True)
after, again = longest(), model.evaluate(x, y, verbose=0)
print(f'loss in the last step of fit: {loss:.4f}, in evaluate: {evaluated:.4f}, '
      f'after one call with training=True: {again:.4f}')
print(f'predict enlarges a vector at most {before:.2f} times, after that call '
      f'{after:.2f} times')
assert evaluated > 10 * loss and before > 2
assert after < 1.05 and again < 2 * loss
PY
