"""Citations in docstrings: authors, year, link; constants of the papers."""

import optax
import pytest

from gan_jax.base import lookup, papers
from gan_jax.base.papers import Paper
from gan_jax.losses import hinge
from gan_jax.metrics import frechet
from gan_jax.models.layers import Weighted
from gan_jax.models.norms import Norm

_URL = 'https://arxiv.org/abs/'


@pytest.mark.parametrize('text, found', [
    ('Evidence bound. Kingma & Welling 2014, arXiv:1312.6114, eq. 9-10.',
     [('Kingma & Welling', '2014', '1312.6114')]),
    ('Bla (Karras et al. 2018, 1710.10196, section\n4.2).',
     [('Karras et al.', '2018', '1710.10196')]),
    ('Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747',
     [('Xiao, Rasul, Vollgraf', '2017', '1708.07747')]),
    ('as Berthelot et al. 2017, 1703.10717. And Zhao et al. 2017, '
     'https://arxiv.org/pdf/1609.03126v2.',
     [('Berthelot et al.', '2017', '1703.10717'),
      ('Zhao et al.', '2017', '1609.03126')]),
    ('(WGAN-LP, Petzka et al. 2018, arXiv:1709.08894)',
     [('Petzka et al.', '2018', '1709.08894')]),
    ('Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761;',
     [('Srivastava et al.', '2017', '1705.07761')]),
    ('Jolicoeur-Martineau 2018, 1807.00734',
     [('Jolicoeur-Martineau', '2018', '1807.00734')]),
    # The link of another paper is not that of this one.
    ('Crammer & Singer 2001; Kavalerov et al. 2019, 1912.04216',
     [('Crammer & Singer', '2001', ''),
      ('Kavalerov et al.', '2019', '1912.04216')]),
    ('InceptionV3 of 2015, TF-GAN 2017, a batch of 2048 examples', [])])
def test_what_is_cited(text, found):
  assert [paper[:3] for paper in papers.cited(text)] == found
  assert all(paper.link == (paper.arxiv and _URL + paper.arxiv)
             for paper in papers.cited(text))


def test_other_links():
  (paper,) = papers.cited(
      'Dasgupta & Gupta 2003, https://doi.org/10.1002/rsa.10073). So it')
  assert paper == Paper('Dasgupta & Gupta', '2003', '',
                        'https://doi.org/10.1002/rsa.10073')


def test_a_link_too_far_behind_is_of_something_else():
  (paper,) = papers.cited('Smith 2001 says much about this, and much later '
                          'there is a link to https://example.org')
  assert paper.link == ''


def test_of_components():
  assert papers.of(hinge)[0][:3] == ('Lim & Ye', '2017', '1705.02894')
  # A metric that names none is from the paper of its module.
  assert papers.of(frechet.distance_to)[0].arxiv == '1706.08500'
  assert papers.of(frechet)[0].arxiv == '1706.08500'
  assert papers.of(optax.adam)[0][:5] == (
      'Kingma et al', '2014', '1412.6980', _URL + '1412.6980',
      'Adam: A Method for Stochastic Optimization')


def test_entries():
  norms = papers.entries(Norm)
  assert papers.cited(norms['adain'])[0].arxiv == '1703.06868'
  assert norms['layer'].startswith('over all of an example but the batch (Ba')
  kinds = papers.entries(Weighted)
  assert papers.cited(kinds['spectral'])[0].arxiv == '1802.05957'
  assert papers.cited(kinds['weight'])[0].arxiv == '1602.07868'


# What the papers, or their authors' code, say where a config says nothing.
CONSTANTS = {
    'losses': {
        'began': dict(gamma=0.5, lambda_k=0.001), 'ebgan': dict(margin=10.0),
        'least_squares': dict(real_target=1.0, fake_target=0.0, gen_target=1.0),
        'mmd': dict(bandwidths=(1.0, 2.0, 4.0, 8.0, 16.0)),
        'non_saturating': dict(label_smoothing=0.0),
        'top_k': dict(fraction=0.5, decay=0.99)},
    'penalties': {
        'bcr': dict(shift=0.125, fake_weight=1.0), 'cr': dict(shift=0.125),
        'contragan': dict(temperature=1.0),
        'dragan': dict(scale=0.5, target=1.0),
        'elbo': dict(beta=1.0, free_bits=0.0),
        'icr': dict(shift=0.125, fake_weight=1.0, std=0.03, latent_weight=0.5,
                    gen_weight=0.1),
        'infogan': dict(categorical_weight=1.0, continuous_weight=1.0),
        'lecam': dict(decay=0.99, start=1000), 'path_length': dict(decay=0.01),
        'reacgan': dict(temperature=0.5, easy_positive=0.98,
                        easy_negative=0.02),
        'wgan_div': dict(power=6.0), 'wgan_gp': dict(target=1.0),
        'zcr': dict(std=0.03, gen_weight=0.1)},
    'augment': {
        'ada': dict(target=0.6, kimg=500.0, p=0.0),
        'apa': dict(target=0.6, kimg=500.0, p=0.0), 'cutout': dict(ratio=0.5),
        'translation': dict(ratio=0.125)}}


@pytest.mark.parametrize('room, name', [
    (room, name) for room, names in CONSTANTS.items() for name in names])
def test_constants_are_those_of_the_paper(room, name):
  found = lookup.defaults(f'gan_jax.{room}', name)
  constants = CONSTANTS[room][name]
  assert {key: found[key] for key in constants} == constants
