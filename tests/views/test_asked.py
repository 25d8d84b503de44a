"""Label vectors as users ask for them: names, units, ranges, files."""

import re

import numpy as np
import pytest

from gan_jax.base.errors import RequestError
from gan_jax.config.build import DataInfo
from gan_jax.views import asked


def info(*columns):
  return DataInfo('set', (8, 8, 1), 40, 0, (), 'f', '', label_columns=columns)


FINDINGS = info(('Edema', 0, 1), ('Mass', 0, 1), ('Nodule', 0, 1))
PATIENT = info(('age', 20.0, 80.0), ('sex', 0, 1))
PERSON = info(('age', 20, 80), ('sex=F', 0, 1), ('sex=M', 0, 1))
SCORE = info(('score', 0.0, 0.6))


@pytest.mark.parametrize('data, label, wanted', [
    (FINDINGS, 'Mass|Edema', [[1, 1, 0]] * 2),
    (FINDINGS, 'Mass', [[0, 1, 0]] * 2),
    (FINDINGS, 'No Finding', [[0, 0, 0]] * 2),
    (FINDINGS, ['Mass', 'Edema | Nodule'], [[0, 1, 0], [1, 0, 1]]),
    (FINDINGS, {'Mass': [0, 1]}, [[0, 0, 0], [0, 1, 0]]),
    (FINDINGS, [[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0]]),
    (PATIENT, 'age=65,sex=1', [[0.75, 1]] * 2),
    (PATIENT, ' age = 20 ', [[0, 0]] * 2),
    (PATIENT, {'age': [20, 80], 'sex': 1}, [[0, 1], [1, 1]]),
    (PATIENT, [65, 0], [[0.75, 0]] * 2),
    (PATIENT, ['age=20', 'age=80,sex=1'], [[0, 0], [1, 1]]),
    (PERSON, 'age=65,sex=M', [[0.75, 0, 1]] * 2),
    (PERSON, 'sex=F,age=20', [[0, 1, 0]] * 2),
    (PERSON, {'age': 80, 'sex': ['F', 'M']}, [[1, 1, 0], [1, 0, 1]]),
    (PERSON, {'age': 80, 'sex=M': [0, 1], 'sex=F': [1, 0]},
     [[1, 1, 0], [1, 0, 1]]),
    (PERSON, [80, 0.5, 0.5], [[1, 0.5, 0.5]] * 2),
    (SCORE, 0.3, [[0.5]] * 2), (SCORE, '0.3', [[0.5]] * 2),
    (SCORE, [0.0, 0.6], [[0], [1]]), (SCORE, 'score=0.6', [[1]] * 2),
])
def test_label_vectors(data, label, wanted):
  found = asked.labels(data, 2, label)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize('data, label, words', [
    (FINDINGS, 'Mas|Edema', 'Mas: no such column.*"Mass"'),
    (FINDINGS, 'turn', 'no turn'),
    (FINDINGS, [1, 0], r'shape \[2\]'),
    (PATIENT, 'age=85', r'age=85 is not from 20 to 80'),
    (PATIENT, {'age': float('nan')}, 'age=nan'),
    (PATIENT, 'sex=1', r'needs age=20\.\.80'),
    (PERSON, 'age=30', 'needs one sex: F or M, such as sex=F'),
    (PERSON, 'sex=F', r'needs age=20\.\.80'),
    (PERSON, 'age=30,sex=X', 'sex=X: sex is F or M'),
    (PERSON, 'age=30,sex=F,sex=M', 'gives sex twice'),
    (PERSON, {'age': 30, 'sex=F': 1, 'sex=M': 1}, 'needs one sex'),
    (FINDINGS, 'Mass|No Finding', 'No Finding is none of the others'),
    (PATIENT, 'age=old', 'age=old: a number'),
    (PATIENT, np.zeros((3, 2)), r'\[3, 2\] for 2 images'),
])
def test_what_cannot_be_asked_for(data, label, words):
  with pytest.raises(RequestError, match=words):
    asked.labels(data, 2, label)


def test_files(tmp_path):
  path = tmp_path / 'l.csv'
  path.write_text('sex,age\n1,20\n0,65\n\n')
  count, label = asked.of_file(PATIENT, str(path))
  assert count == 2
  assert asked.labels(PATIENT, 2, label).tolist() == [[0, 1], [0.75, 0]]
  path.write_text('label\nMass|Edema\nNo Finding\n')
  count, label = asked.of_file(FINDINGS, str(path))
  assert asked.labels(FINDINGS, count, label).tolist() == [[1, 1, 0], [0, 0, 0]]
  for data, text, words in (
      (PATIENT, 'age\nx\n', 'age=x'), (PATIENT, 'age\n', 'as many cells'),
      (info(), 'a,b\n1,2\n', 'one, named label')):
    path.write_text(text)
    with pytest.raises(RequestError, match=re.escape(words)):
      asked.of_file(data, str(path))
