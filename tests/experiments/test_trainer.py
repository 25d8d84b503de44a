"""Many short trainings in one process are those of the program."""

import jax
import numpy as np
import pytest
import tiny

from experiments.augmentation import rare
from experiments.semi_supervised import labels
from experiments.trainer import Trainer
from gan_jax.run import train


@pytest.mark.slow  # It compiles a game three times.
def test_a_later_run_of_a_trainer_is_the_programs_run(tmp_path):
  """Of another seed and other labels than those that were compiled first."""
  path = tiny.write_images(tmp_path / 'noise.npz')
  def config(seed):
    return tiny.config(path, seed=seed, loggers=(), data=dict(
        name='npz', path=path, labelled=9, labelled_seed=seed), penalties=(
            dict(name='semi_supervised', weight=1.0),))
  trainer = Trainer()
  trainer(config(1))
  run, state, scalars = trainer(config(2))
  assert run.info.unlabelled == 31 and scalars['penalty/semi_supervised'] > 0
  folder = str(tmp_path / 'run')
  train.train(run, folder)
  want = tiny.saved(run, folder)
  for got, other in zip(jax.tree.leaves(state), jax.tree.leaves(want),
                        strict=True):
    np.testing.assert_allclose(got, other, rtol=1e-4, atol=1e-5)


@tiny.READS_CONFIGS
def test_the_supervised_runs_have_the_same_labels_and_no_other_loss():
  both = [labels.config_of(kind, 20, 3, name='semi_supervised:small', steps=0,
                           alone=7)
          for kind in ('semi_supervised', 'supervised')]
  assert both[0].data == both[1].data and both[0].data.labelled == 20.0
  assert both[0].seed == both[0].data.labelled_seed == 3
  assert [term.name for term in both[1].penalties] == ['semi_supervised']
  assert both[1].train_steps == 7 and both[0].train_steps == 6000
  none, ones = labels.no_loss(), np.ones(3)
  assert not none.disc(ones, ones).any() and not none.gen(ones, ones).any()


def test_one_class_is_rare_and_what_is_added_is_of_it():
  train_set, test = rare.few(0, 8, 20)
  counts = np.bincount(train_set[1])
  assert counts[8] == 20 and np.delete(counts, 8).min() > 600
  assert len(test.labels) == 2000 and (test.labels == 8).sum() > 150
  other = rare.few(1, 8, 20)[0]
  assert len(other[1]) == len(train_set[1])
  assert (other[0] != train_set[0]).any()
  want = round((counts.sum() - 20) / 9)
  assert len(rare.added('none', train_set, 0, 8, None)) == 0
  again = rare.added('repeated', train_set, 0, 8, None)
  assert len(again) + 20 == want
  own = {image.tobytes() for image in train_set[0][train_set[1] == 8]}
  assert {image.tobytes() for image in again} == own
  moved = rare.added('classical', train_set, 0, 8, None)
  assert moved.shape == again.shape and moved.dtype == np.uint8
  # Moved by two pixels at most: the mean image stays much the same.
  assert 1.0 < np.abs(moved - np.float32(again)).mean() < 40.0
  assert np.abs(moved.mean(0) - again.mean(0)).mean() < 12.0
