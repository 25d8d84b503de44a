"""What labels become: classes, or label vectors; numbering and units."""

import numpy as np
import pytest
from arrays import fails

from gan_jax.base.errors import DataError
from gan_jax.data import label_values as forms


@pytest.mark.parametrize('labels, expected, num_classes', [
    (np.array([1, 0, 2]), [1, 0, 2], 3),
    (np.array([[1], [0], [2]], np.uint8), [1, 0, 2], 3),
    (np.array([True, False, True]), [1, 0, 1], 2),
    (np.array([0., 2., 1.]), [0, 2, 1], 3),  # whole numbers
    (np.eye(4)[[1, 0, 2]], [1, 0, 2], 4),
    (np.eye(4, dtype=bool)[[1, 0, 2]], [1, 0, 2], 4),
    (2 * np.eye(4)[[1, 0, 2]] - 1, [1, 0, 2], 4),
])
def test_arrays_of_classes(labels, expected, num_classes):
  found = forms.of_array(labels, 3, 'file')
  assert found.values.tolist() == expected and found.values.dtype == np.int32
  assert found.num_classes == num_classes
  assert found[2:] == ((), (), ())


@pytest.mark.parametrize('labels, names', [
    (np.array([100002, 100000, 100001]), ['100000', '100001', '100002']),
    (np.array([9, 2, 5]), ['2', '5', '9']),
    (np.array([2 ** 63, 0, 1], np.uint64), ['0', '1', str(2 ** 63)]),
    (np.array(['dog', 'Cat ', 'cat']), ['Cat', 'cat', 'dog']),
])
def test_other_values_are_numbered_and_name_the_classes(labels, names):
  found = forms.of_array(labels, 3, 'file')
  assert found.values.tolist() == [2, 0, 1] and found.num_classes == 3
  assert found.class_names == tuple(names) and len(found.notices) == 1
  assert ('without gaps' in found.notices[0]) == names[0].isdigit()


def test_known_classes_keep_their_numbers():
  found = forms.of_array(np.array([4, 2]), 2, 'file', known=10)
  assert found.values.tolist() == [4, 2] and found[1:] == (10, (), (), ())
  fails('file', '2..10', 'classes 0..9', call=lambda: forms.of_array(
      np.array([10, 2]), 2, 'file', known=10))


def test_arrays_of_label_vectors():
  several = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]])
  found = forms.of_array(several, 3, 'file')
  assert found.values.tolist() == several.tolist() and found.num_classes == 0
  assert found.values.dtype == np.float32
  assert found.columns == (('0', 0, 1), ('1', 0, 1), ('2', 0, 1))
  assert 'label_index=0 to 2' in found.notices[0]
  assert forms.of_array(several, 3, 'file', label_index=1).values.tolist() == [
      1, 0, 1]
  found = forms.of_array(2 * several - 1, 3, 'file')  # as CelebA's
  assert found.values.tolist() == several.tolist()
  for labels in (np.array([2.0, 2.5, 6.0]), np.array([[2.0], [2.5], [6.0]])):
    found = forms.of_array(labels, 3, 'file')
    assert found.values.tolist() == [[0.0], [0.125], [1.0]]
    assert found.columns == (('0', 2.0, 6.0),)
  # Each column by itself; flags stay as they are.
  found = forms.of_array(np.array([[63, 1], [3, 0], [33, 0]]), 3, 'file')
  assert found.values.tolist() == [[1, 1], [0, 0], [0.5, 0]]
  assert found.columns == (('0', 3.0, 63.0), ('1', 0, 1))
  users = forms.to_users(found.values, found.columns)
  assert users.tolist() == [[63, 1], [3, 0], [33, 0]]
  np.testing.assert_array_equal(forms.to_unit(users, found.columns),
                                found.values)


@pytest.mark.parametrize('labels, words', [
    (np.zeros(4, int), ['[4]', '3 images']),
    (np.array([0, -1, 2]), ['-1..2', 'unlabelled']),
    (np.array([0.5, np.nan, np.inf]), ['2 images', 'NaN or Inf', 'image 1']),
    (np.full((3, 2), np.nan), ['3 images', 'image 0']),
    (np.array([[0, 7], [1, 7], [1, 7]]), ["'1'", 'one value']),
    (np.zeros((3, 2, 2), int), ['[3, 2, 2]', '[N, K]']),
    (np.array([['a'], ['b'], ['c']] * 1)[:, [0, 0]], ['<U1', 'needed']),
    (np.zeros(3, complex), ['complex128']),
])
def test_bad_arrays(labels, words):
  fails('file', 'labels' if labels.ndim < 3 else '', *words,
        call=lambda: forms.of_array(labels, 3, 'file'))


def test_texts():
  assert forms.of_texts(['1', '0', '2.0'], 'f').values.tolist() == [1, 0, 2]
  found = forms.of_texts(['0.0', '0.6', ' 0.3 ', '3e-1'], 'f', 'score')
  np.testing.assert_allclose(found.values, [[0], [1], [0.5], [0.5]], atol=1e-7)
  assert found.columns == (('score', 0.0, 0.6),)
  assert "'score'" in found.notices[0]
  # Integers of many values with one float among them.
  found = forms.of_texts([*map(str, range(1000)), '0.5'], 'f')
  assert found.num_classes == 0 and found.columns == (('0', 0.0, 999.0),)
  found = forms.of_texts(['cat', 'Cat', 'CAT ', 'dog'], 'f')
  assert found.class_names == ('CAT', 'Cat', 'cat', 'dog')
  assert "'CAT', 'Cat', 'cat' differ in upper" in found.notices[0]
  assert forms.of_texts(['a', 'b'], 'f').notices == ()


def test_findings_are_sets():
  found = forms.of_texts(['Mass|Edema', 'Edema|Mass', 'no finding', 'Mass',
                          'Edema | Mass'], 'f')
  assert [column.name for column in found.columns] == ['Edema', 'Mass']
  assert found.values.tolist() == [[1, 1], [1, 1], [0, 0], [0, 1], [1, 1]]
  assert 'several labels per image' in found.notices[0]


@pytest.mark.parametrize('texts, words', [
    (['a', 'nan', 'NA', 'None', ''], ['4 images', 'image 1']),
    (['0.5', '1', 'many'], ["'0.5'", "'many'", 'all as names']),
    (['|', '|'], ['no image has any label']),
])
def test_bad_texts(texts, words):
  fails(*words, call=lambda: forms.of_texts(texts, 'f'))


def test_columns():
  found = forms.of_columns(['MEL', 'NV', 'BCC'], [
      ['0.0', '1.0', '0.0'], ['1.0', '0.0', '0.0']], 'f')
  assert found.values.tolist() == [1, 0] and found.num_classes == 3
  assert found.class_names == ('MEL', 'NV', 'BCC')
  found = forms.of_columns(['Smiling', 'Male'], [['1', '1'], ['-1', '1'],
                                                 ['-1', '-1']], 'f')
  assert found.values.tolist() == [[1, 1], [0, 1], [0, 0]]
  assert found.columns == (('Smiling', 0, 1), ('Male', 0, 1))
  # Text beside numbers: a column for each of its values.
  found = forms.of_columns(['age', 'sex'], [['60', 'male'], ['20', 'female'],
                                            ['30', 'male']], 'f')
  assert found.columns == (('age', 20, 60), ('sex=female', 0, 1),
                           ('sex=male', 0, 1))
  assert forms.groups_of(found.columns) == {'sex': ['female', 'male']}
  assert found.values.tolist() == [[1, 0, 1], [0, 1, 0], [0.25, 0, 1]]
  found = forms.of_columns(['eye', 'hand'], [['left', 'left'],
                                             ['right', 'both']], 'f')
  assert forms.groups_of(found.columns) == {
      'eye': ['left', 'right'], 'hand': ['both', 'left']}
  assert found.values.tolist() == [[1, 0, 0, 1], [0, 1, 1, 0]]
  fails("'Mass'", 'two columns', call=lambda: forms.of_columns(
      ['a', 'b'], [['Mass|Edema', 'Mass|Edema'], ['Edema', 'Mass']], 'f'))
  fails("'eye'", 'one value', call=lambda: forms.of_columns(
      ['eye', 'age'], [['left', '3'], ['left', '4']], 'f'))


def test_yes_and_no_are_1_and_0():
  found = forms.of_columns(['smokes', 'ill', 'old'], [
      ['yes', 'True', 'N'], ['no', 'True', 'y'], ['No', 'False', 'n']], 'f')
  assert found.columns == (('smokes', 0, 1), ('ill', 0, 1), ('old', 0, 1))
  assert found.values.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
  found = forms.of_columns(['smokes'], [['yes'], ['no'], ['maybe']], 'f')
  assert len(found.columns) == 3
  assert forms.of_texts(['yes', 'no'], 'f').class_names == ('no', 'yes')


def test_numbers_that_begin_with_0_are_names():
  found = forms.of_texts(['002', '001', '010'], 'f', 'id')
  assert found.class_names == ('001', '002', '010')
  assert forms.of_texts(['0', '10', '1'], 'f').class_names == ('0', '1', '10')


@pytest.mark.parametrize('texts, words', [
    ([str(7 * i) for i in range(30)], "label_key='x,' takes them as numbers"),
    (['20,5', '3,0', '20,5'], "'20,5' are taken for names: write them as num"),
    ([f'{i:03d}Y' for i in range(20)] * 9, 'write them as numbers'),
    ([f'{i} %' for i in range(20)], 'write them as numbers'),
    ([f'img{i}' for i in range(20)] + ['cat'] * 9, 'a column of names?'),
    (['Mass,Edema', 'Mass'], "write | between several"),
    (["['Mass', 'Edema']", 'Mass'], "write | between several"),
])
def test_what_are_hardly_classes(texts, words):
  said = forms.of_texts(texts, 'f', 'x').notices[-1]
  assert words in said and "column 'x'" in said


def test_what_are_classes():
  for texts in ([f'img{i}' for i in range(19)], ['cat', '3D'] * 20,
                [f'img{i}' for i in range(30)] * 2):
    assert forms.of_texts(texts, 'f', 'x').notices == ()
  fails('a column of names?', "'who'", call=lambda: forms.of_columns(
      ['who', 'age'], [[f'p{i}', str(i)] for i in range(31)], 'f'))


def test_signs_with_0_between_are_numbers():
  fails('-1..1', "label_key='Edema,' takes them", call=lambda: forms.of_texts(
      ['-1', '0', '1'], 'f', 'Edema'))
  assert forms.of_columns(['Edema'], [['-1'], ['0'], ['1']], 'f').columns == (
      ('Edema', -1, 1),)


def test_classes_by_name_and_number():
  names = ('ant', 'bee', 'cow')
  assert forms.class_of('bee', names, (0, 1, 2)) == 1
  assert forms.class_of(2, names, (0, 1, 2)) == 2
  # Names come first: 1 is the users' own value.
  assert forms.class_of(1, ('1', '2', '3'), (0, 1, 2)) == 0
  assert forms.class_of('100001', ('100000', '100001'), (0, 1)) == 1
  fails('bea is not', 'did you mean', "'bee'", call=lambda: forms.class_of(
      'bea', names, (0, 1, 2)))
  fails('cow is not', 'of the classes (ant, bee)', call=lambda: forms.class_of(
      'cow', names, (0, 1)))
  fails('did you mean', "'100001'", call=lambda: forms.class_of(
      '10001', ('100001', 'x'), (0, 1)))
  # Digits that are alike say nothing of numbers.
  with pytest.raises(DataError) as found:
    forms.class_of(12, (), (0, 1, 2))
  assert str(found.value) == '12 is not one of the classes (0, 1, 2)'
