"""--mode=complete: what is known stays, and what cannot be asked for."""

import numpy as np
import pytest
from PIL import Image

from gan_jax import pictures
from gan_jax.views.complete import complete
from gan_jax.views.trained import Trained


@pytest.fixture
def masks(given_sets):
  """`given_sets`, and masks of all sorts for them.

  hole.png: the upper right quarter, white.
  """
  hole = np.zeros((8, 8), np.uint8)
  hole[:4, 4:] = 255
  each = np.stack([np.rot90(hole, i) for i in range(3)])
  np.savez('each.npz', images=each)
  np.savez('two.npz', images=each[:2])
  np.savez('flat.npz', images=hole > 0)
  np.savez('named.npz', mask=each > 0, other=each)
  np.save('flat.npy', hole > 0)
  np.save('each.npy', each > 0)
  np.save('shares.npy', (each / 255)[..., None].astype(np.float32))
  # White everywhere, and transparent but in the hole.
  Image.merge('LA', [Image.new('L', (8, 8), 255), Image.fromarray(hole)]).save(
      'alpha.png')
  for name, pixels in (('hole', hole), ('black', 0 * hole),
                       ('white', 0 * hole + 255),
                       ('large', np.kron(hole, np.ones((2, 1), np.uint8)))):
    Image.fromarray(pixels).save(f'{name}.png')
  (given_sets / 'text.png').write_text('no picture')
  return given_sets, each > 0


@pytest.mark.parametrize('mask', ['hole.png', 'alpha.png', 'each.npz',
                                  'each.npy', 'shares.npy'])
def test_only_holes_are_filled_with_what_the_run_draws(
    made_run, masks, cli, mask):
  folder, holes = masks
  run = Trained(str(made_run('plain')))
  original = run.sample(3)
  holes = holes[:1].repeat(3, 0) if mask.endswith('.png') else holes
  spoilt = np.where(holes[..., None], np.uint8(7), original)
  np.savez('spoilt.npz', images=spoilt)
  status, said, err = cli(
      '--mode=complete', f'--workdir={made_run("plain")}',
      '--images=spoilt.npz', f'--mask={mask}', '--out=filled.npz')
  assert status == 0, err
  assert '3 images completed by the generator of step 4, 25.0% of' in said
  with np.load('filled.npz') as found:
    filled = found['images']
    np.testing.assert_array_equal(filled[~holes], original[~holes])
    gap = abs(filled[holes].astype(float) - original[holes])
    assert gap.mean() < 40
    # Nearer than grey would be.
    assert gap.mean() < abs(128.0 - original[holes]).mean()
    assert found['generated'].shape == (3, 8, 8, 1)
    assert list(found['name']) == ['0', '1', '2']
  picture = pictures.read_png((folder / 'filled.png').read_bytes())
  blank = pictures.sheet(np.zeros((9, 8, 8, 1), np.uint8), 6,
                         heads=('hole', 'generated', 'filled'))
  assert picture.shape == blank.shape and (picture[:20] == blank[:20]).all()


def test_without_a_discriminator_too(made_run, masks):
  said = complete(str(made_run('alone')), 'right.npz', 'hole.png', 'a.npz')
  assert said.startswith('3 images completed')


@pytest.mark.parametrize('name,flags,status,words', [
    ('plain', ['--mask='], 2, 'give --mask'),
    ('plain', ['--out=hole.npz'], 2, 'hole.png is among what is read'),
    ('plain', ['--mask=large.png'], 2, '--mask=large.png holds images 16x8, '
     'grey, and the images are 8x8'),
    ('plain', ['--mask=flat.npz'], 2, 'save [N, H, W] of bool'),
    ('plain', ['--mask=flat.npy'], 2, 'save [N, H, W] of bool'),
    ('plain', ['--mask=named.npz'], 2, 'in an .npz as images'),
    ('plain', ['--mask=two.npz'], 2, 'holds 2 masks for 3 images'),
    ('plain', ['--mask=black.png'], 2, 'nothing of image 0 is white'),
    ('plain', ['--mask=white.png'], 2, ': all of image 0 is white'),
    ('plain', ['--mask=text.png'], 3, 'text.png'),
    ('plain', ['--mask=nothing.png'], 3, 'nothing.png'),
    ('plain', ['--images=large.npz'], 2, '--resize=8,8 makes them so'),
    ('plain', ['--images=nan.npz'], 3, 'images with NaN or Inf'),
    ('plain', ['--out=a.png'], 2, 'must be F.npz, for the arrays images'),
    ('cgan', ['--images=bare.npz'], 2,
     'say what the images show with --label'),
    ('signals', [], 2, 'holes are of images')])
def test_bad_input_is_one_message_and_nothing_is_written(
    made_run, masks, cli, name, flags, status, words):
  def there():
    return sorted({*masks[0].iterdir()} - {masks[0] / 'cache'})

  before = there()
  found, _, err = cli('--mode=complete', f'--workdir={made_run(name)}',
                      '--images=right.npz', '--mask=hole.png',
                      '--out=found.npz', *flags)
  assert found == status, err
  assert words in err and 'Traceback' not in err
  assert there() == before
