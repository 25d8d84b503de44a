"""What a mistaken key, argument or name of a component may have meant."""

import difflib
import re

from gan_jax.base import lookup
from gan_jax.config import fields
from gan_jax.config.keys import CHOICES, COMPONENTS, DURATIONS, KEYS, MANY

# What words of other code are here; {} is their value. niter is a number of
# epochs in DCGAN's code and those after it; gpus is a number of devices.
_WORDS = {
    "train_steps='{} epochs'": 'epochs nepochs n_epochs num_epochs max_epochs '
                            'niter',
    "train_steps='... examples', a thousand for each kimg": 'kimg total_kimg',
    'train_steps={}': 'iterations iters n_iter num_iters max_iter '
                      'num_iterations max_steps num_steps total_steps',
    'gen_optimizer.learning_rate={}': 'lr g_lr lr_g gen_lr generator_lr',
    'disc_optimizer.learning_rate={}': 'lr d_lr lr_d disc_lr discriminator_lr',
    'gen_optimizer.b1={}': 'beta1 beta_1',
    'disc_optimizer.b1={}': 'beta1 beta_1',
    'gen_optimizer.b1=... and .b2=..., and the same of disc_optimizer': 'betas',
    'disc_steps={}': 'n_critic critic_iters critic_steps d_steps d_iters',
    'latent.size={}': 'nz z_dim zdim dim_z latent_dim latent_size noise_dim',
    "data.resize='({0},{0})'": 'image_size img_size imsize resolution',
    'data.path={}': 'dataroot data_root data_dir data_path dataset_path',
    'generator.width={}': 'ngf',
    'discriminator.width={}': 'ndf',
    'ema_decay={}': 'ema ema_beta',
    'dtype=bfloat16 (or float32)': 'amp bf16 fp16 half mixed_precision '
                                   'precision',
    'checkpoint_every={}': 'save_every save_freq save_interval',
    '--workdir={}': 'outdir output_dir log_dir logdir save_dir run_dir',
    'CUDA_VISIBLE_DEVICES={}, before the command': 'gpu gpu_id gpu_ids',
    'CUDA_VISIBLE_DEVICES=0,1,..., before the command (all are used without '
    'it)': 'gpus ngpu n_gpu num_gpus device devices'}


def translated(word: str, value) -> list[str]:
  """What a word of other code is here: key=value, a flag, or a variable.

  Several are one together: lr is that of both players.
  """
  return [text.format(value) for text, words in _WORDS.items()
          if word.lower() in words.split()]


def after_the_colon(argument: str, names: str) -> str:
  """Hint: how the command line chooses the components of a key."""
  return (f'; :{argument}={names} after the config, as in '
          f'dcgan:{argument}={names}, chooses it')


def spoken(name: str, paths) -> list[str]:
  """Paths with the word `name` (steps), or with these initials (lr)."""
  found = [path for path in paths if name in re.split(r'[._]', path)] or [
      path for path in paths if name == ''.join(
          part[:1] for part in path.rpartition('.')[2].split('_'))]
  # Of steps, the length of the run is likelier than the steps of a player.
  return sorted(found, key=lambda path: path not in DURATIONS)


def near_key(key: str, value, config) -> str:
  """Hint for an unknown key: similar ones, also inside components."""
  if here := translated(key, value):
    return f'; did you mean {" and ".join(here)}?'
  own = [*fields.flat({k: v for k, v in config.items() if k in KEYS})]
  if named := spoken(key, [*KEYS, *own]):
    return f'; did you mean {" or ".join(dict.fromkeys(named[:3]))}?'
  paths = {}  # by their last part
  for path in own:
    parts = path.split('.')
    for i, part in enumerate(parts):
      paths.setdefault(part, {})['.'.join(parts[:i + 1])] = None
  last = difflib.get_close_matches(key, [*paths], n=1)
  if not last or last[0] in KEYS:
    return lookup.near(key, KEYS)
  return f'; did you mean {" or ".join([*paths[last[0]]][:3])}?'


def flag(config, key: str, value: str) -> str:
  """Hint for an argument after the colon that should have been a flag."""
  # Such as a path, which has no default, and so no value yet.
  arguments = lookup.parameters(lookup.find(
      CHOICES['data'].module, config.data.name))
  ends = re.compile(rf'(?:.*\.)?{re.escape(key)}(?![^.])')
  paths = [*dict.fromkeys(
      found[0] for path in (*fields.flat(fields.plain(config)),
                            *(f'data.{name}' for name in arguments))
      if (found := ends.match(path)))]
  return '; values are set by flags: ' * bool(paths) + ' or '.join(
      f'--config.{path}={value or "..."}' for path in paths[:3])


def elsewhere(key: str, name: str) -> str:
  """Hint for a name that is known under another key, as r1 for a loss.

  Of data, how sets of TensorFlow Datasets and one's own files are read.
  """
  if key == 'data':
    return '' if ':' in str(name) else (
        '; a set of TensorFlow Datasets is data=tfds with --config.data.'
        f'dataset={name}, and files of yours are data=auto with --config.data.'
        'path=...')
  name = re.sub(r'\W', '_', str(name)).lower()
  others = {argument: CHOICES[MANY.get(argument, argument)]
            for argument in COMPONENTS}
  found = [f'{argument}={name}' for argument, home in others.items()
           if home is not CHOICES[key] and home.module.startswith('gan_jax.')
           and not home.kind and name in lookup.names(home.module)]
  return f'; there is {" and ".join(found)}' if found else ''
