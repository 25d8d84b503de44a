"""What a run leaves behind for people: files, scalars, a progress bar.

A log must never end a run: where the disk is full or a write fails, there is
one warning with the path and the free bytes, and the run goes on.
"""

from gan_jax.writers.files import remove_torn, try_write_file, write_file
from gan_jax.writers.progress import ProgressBar
from gan_jax.writers.rows import read_rows
from gan_jax.writers.scalars import ScalarWriter
from gan_jax.writers.scores import ScoreWriter

__all__ = ['ProgressBar', 'ScalarWriter', 'ScoreWriter', 'read_rows',
           'remove_torn', 'try_write_file', 'write_file']
