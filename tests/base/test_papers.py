"""Citations in docstrings: authors, year, link."""

import optax
import pytest

from gan_jax.base import papers
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
