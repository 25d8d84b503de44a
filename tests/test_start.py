"""What a start of training does not wait for."""

import subprocess
import sys

LATE = ('matplotlib', 'scipy', 'orbax', 'pandas', 'tensorflow_datasets',
        'tensorflow', 'torch')


def test_training_starts_without_packages_that_it_needs_later():
  code = ('import sys; import gan_jax.main, gan_jax.run.train; '
          'from gan_jax.config import recipe; recipe.shipped("dcgan"); '
          f'print(*(name for name in {LATE} if name in sys.modules))')
  done = subprocess.run([sys.executable, '-c', code], capture_output=True,
                        text=True, check=True)
  assert done.stdout.split() == []
