"""Semi-supervised digits.  Salimans et al. 2016, arXiv:1606.03498.

python -m gan_jax.main --config=configs/semi_supervised.py
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.data.holdout = 0.2
  config.data.labelled = 100.0
  config.image_range = (0.0, 1.0)
  config.latent = dict(name='uniform', size=100)
  config.batch_size = 100
  config.generator = recipe.choice('generator', 'mlp.Generator') | dict(
      widths=(500, 500), activation='relu', norm='batch')
  config.discriminator = recipe.choice(
      'discriminator', 'mlp.Discriminator') | dict(
          widths=(1000, 500, 250, 250, 250), activation='relu',
          weight_norm='weight', noise=0.5)
  config.augment = (recipe.term('augment', 'instance_noise'),)
  config.augment[0].std = 0.3
  config.loss = dict(name='disc_only')
  config.penalties = (recipe.term('penalties', 'semi_supervised'),
                      recipe.term('penalties', 'feature_matching'))
  config.penalties[0].form = 'k'
  config.penalties[0].weight = 2.0
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(3e-3, b1=0.5)
    config[key].learning_rate = recipe.rate(recipe.linear(3e-3))
  config.evaluators = (recipe.term('evaluators', 'classification_error'),)
  config.train_steps = recipe.duration('300 epochs')
  config.steps_per_call = 80
  config.log_every = recipe.duration('5 epochs')
  config.sample_every = recipe.duration('10%')
  config.eval_every = recipe.duration('10%')
  config.checkpoint_every = recipe.duration('50%')
  return recipe.finish(config, arg, small=small)


def small(config, _):
  config.generator.widths = (250, 250)
  config.discriminator.widths = (300, 150, 150)
  config.train_steps = recipe.duration('100 epochs')
