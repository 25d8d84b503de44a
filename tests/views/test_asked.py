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
    (PATIENT, 'age=65,sex=yes', [[0.75, 1]] * 2),
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


BEES = DataInfo('set', (8, 8, 1), 40, 2, (0, 1), 'f', '',
                class_names=('ant', 'bee'))
DIGITS = DataInfo('set', (8, 8, 1), 40, 3, (0, 1, 2), 'f', '')


@pytest.mark.parametrize('data, text, wanted', [
    (BEES, 'file,label\na.png,bee\nb.png,ant\n', [1, 0]),
    (BEES, 'file;species;sex\na.png;bee;F\nb.png;ant;F\n', [1, 0]),
    (BEES, 'n\tdx\n1\tbee\n0\tant\n', [1, 0]),
    (BEES, 'image,ant,bee\nx,0.0,1.0\ny,1.0,0.0\n', [1, 0]),
    (DIGITS, 'label\n2.0\n1\n', [2, 1]),
    (PERSON, 'id,sex,age\n1,M,20\n2,F,80\n', [[0, 0, 1], [1, 1, 0]]),
    (PERSON, 'age,sex=F,sex=M\n20,0,1\n80,1,0\n', [[0, 0, 1], [1, 1, 0]]),
    (FINDINGS, 'Image Index,Finding Labels\na,Mass|Edema\nb,No Finding\n',
     [[1, 1, 0], [0, 0, 0]]),
    (FINDINGS, 'Mass,Edema,Nodule\nyes,-1,1\nno,1,0\n',
     [[0, 1, 1], [1, 0, 0]]),
    (FINDINGS, '2\nEdema Mass Nodule\na.png 1 -1 -1\nb.png -1 -1 1\n',
     [[1, 0, 0], [0, 0, 1]]),
    (SCORE, 'file,score\na,0.6\nb,0.3\n', [[1], [0.5]]),
])
def test_files_of_the_training_data(tmp_path, data, text, wanted):
  path = tmp_path / 'l.csv'
  path.write_text(text)
  count, label = asked.of_file(data, str(path))
  assert count == 2
  np.testing.assert_allclose(asked.labels(data, 2, label), wanted, atol=1e-6)


@pytest.mark.parametrize('data, text, words', [
    (PATIENT, 'age,sex\n20,1\nx,1\n', 'line 3: age=x: a number'),
    (PATIENT, 'age,sex\n20,1\n\n99,1\n', 'line 4: age=99 is not from'),
    (PATIENT, 'age\n', 'as many cells'),
    (PATIENT, 'age,sex\n20,1,3\n', 'line 2 has 3 of 2'),
    (PATIENT, 'age,sx\n20,1\n', 'columns age, sx; one named label is needed, '
     'or sex'),
    (PERSON, 'age,sex\n20,X\n', 'line 2: sex=X: sex is F or M'),
    (PERSON, 'age,sex=F,sex=M\n20,1,1\n', 'line 2: label needs one sex'),
    (BEES, 'a,b\n1,2\n', 'columns a, b; one named label'),
    (BEES, 'label\nant\nwasp\n', 'line 3: wasp is not one of the classes'),
    (BEES, 'a.png,ant\nb.png,bee\n', 'one named label'),
    (BEES, 'file,ant,bee\nx,1,1\n', 'line 2: ant|bee is not'),
])
def test_files_that_cannot_be_asked_for(tmp_path, data, text, words):
  path = tmp_path / 'l.csv'
  path.write_text(text)
  with pytest.raises(RequestError, match=re.escape(words)) as refused:
    asked.of_file(data, str(path))
  assert str(path) in str(refused.value)
