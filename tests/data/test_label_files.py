"""Labels in the files that people have: headers, names, what is guessed."""

import json
import zipfile

import numpy as np
import pytest
from arrays import fails
from image_files import GREY, encoded, put
from set_files import tarred

from gan_jax.data.sources import archives, folder, webdataset


@pytest.fixture
def labelled(tmp_path):
  """-> (names of images, text of a CSV, arguments) -> the source."""
  def read(names, text, **options):
    for i, name in enumerate(names):
      put(tmp_path / 'set' / name, encoded(GREY + np.uint8(i)))
    put(tmp_path / 'labels.csv', text.encode())
    return folder(path=tmp_path / 'set', labels=str(tmp_path / 'labels.csv'),
                  **options)
  return read


def said(source):
  return '; '.join(source.report.get('notices', ()))


def test_isic(labelled):
  """One-hot columns, and ids of images without their suffix."""
  source = labelled(['ISIC_1.jpg', 'ISIC_2.jpg', 'ISIC_3.jpg'], (
      'image,MEL,NV,BCC\n'
      'ISIC_2,0.0,1.0,0.0\nISIC_1,1.0,0.0,0.0\nISIC_3,0.0,1.0,0.0\n'))
  assert source.labels.tolist() == [0, 1, 1] and source.num_classes == 3
  assert source.class_names == ('MEL', 'NV', 'BCC')
  assert "3 files in it are found by the end of" in said(source)


HAM = ('lesion_id,image_id,dx,dx_type,age,sex,localization\n'
       'HAM_7,ISIC_1,nv,histo,80.0,male,scalp\n'
       'HAM_7,ISIC_2,bkl,histo,40.0,female,ear\n'
       'HAM_9,ISIC_3,nv,histo,70.0,female,ear\n')


def test_ham10000(labelled):
  images = [f'part_1/ISIC_{i}.jpg' for i in (1, 2, 3)]
  source = labelled(images, HAM)
  assert source.class_names == ('bkl', 'nv')
  assert source.labels.tolist() == [1, 0, 1]
  assert labelled(images, HAM, label_key='localization').class_names == (
      'ear', 'scalp')
  source = labelled(images, HAM, label_key='age,sex')
  assert source.label_columns == (
      ('age', 40, 80), ('sex=female', 0, 1), ('sex=male', 0, 1))
  assert source.labels.tolist() == [[1, 0, 1], [0, 1, 0], [0.75, 1, 0]]
  assert labelled(images, HAM, label_key='age').class_names == (
      '40', '70', '80')
  assert labelled(images, HAM, label_key='age,').label_columns == (
      ('age', 40, 80),)
  fails('label_key', "'sx'", 'did you mean "sex"',
        call=lambda: labelled(images, HAM, label_key='sx'))
  fails("label_key=','", 'no column',
        call=lambda: labelled(images, HAM, label_key=','))
  fails('6 columns may be the labels', 'label_key', "'sex'",
        call=lambda: labelled(images, HAM.replace('dx,', 'what,')))


def test_chest_xray14(labelled):
  source = labelled(['a.png', 'b.png', 'c.png', 'd.png'], (
      'Image Index,Finding Labels,Follow-up #,Patient ID\n'
      'a.png,Mass|Edema,0,1\nb.png,No Finding,1,1\n'
      'c.png,Edema|Mass,0,2\nd.png,Edema,0,3\n'))
  assert source.label_columns == (('Edema', 0, 1), ('Mass', 0, 1))
  assert source.labels.tolist() == [[1, 1], [0, 0], [1, 1], [1, 0]]
  assert source.num_classes == 0 and 'several labels per image' in said(source)


def test_celeba(labelled):
  source = labelled(['1.jpg', '2.jpg'], (
      'image_id,5_o_Clock_Shadow,Smiling,Male\n1.jpg,-1,1,1\n2.jpg,-1,-1,1\n'))
  assert source.labels.tolist() == [[0, 1, 1], [0, 0, 1]]
  assert source.label_columns[0] == ('5_o_Clock_Shadow', 0, 1)


def test_decimals_are_continuous(labelled):
  source = labelled(['a.png', 'b.png'], 'file;score\na.png;0.0\nb.png;0.6\n')
  assert source.labels.tolist() == [[0.0], [1.0]]
  assert source.label_columns == (('score', 0.0, 0.6),)


def test_headers_that_are_not_known(labelled, tmp_path):
  names = ['a.png', 'b.png']
  for text in ('photo,species\na.png,ant\nb.png,bee\n',
               'n,photo,label\n7,a.png,ant\n8,b.png,bee\n'):
    source = labelled(names, text)
    assert source.class_names == ('ant', 'bee')
    assert 'by the end' not in said(source)
  fails('needs the names of columns', call=lambda: labelled(
      names, 'a.png,ant\nb.png,bee\n', label_key='species'))
  fails("label_key='x'", 'labels=F.csv', call=lambda: folder(
      path=tmp_path / 'set', label_key='x'))


def test_a_name_that_several_images_have_is_none(labelled):
  text = 'file,label\na,1\nb,0\nx/c,0\ny/c,1\n'
  source = labelled(['a.png', 'b.png', 'x/c.png', 'y/c.png'], text)
  assert source.labels.tolist() == [1, 0, 0, 1]
  fails('1 labels in it are for files', "('c')", "'y/c.png'",
        call=lambda: labelled(['a.png', 'b.png', 'x/c.png', 'y/c.png'],
                              text.replace('y/c', 'c')))


@pytest.mark.parametrize('names', [
    ['/data/all/x/a.png', 'y/a.png', 'C:\\set\\b.png'],  # absolute
    ['scans/x/a.png', 'scans/y/a.png', 'scans/b.png'],  # of another folder
    ['x/a.jpg', 'y/a.JPG', 'b.dcm'],  # before they were converted
    ['x/a', 'y/a', './b']])
def test_names_that_are_not_the_paths(labelled, names):
  rows = ''.join(f'{name},{label}\n' for name, label in zip(
      names, ('ant', 'bee', 'cow'), strict=True))
  source = labelled(['x/a.png', 'y/a.png', 'b.png'], f'file,label\n{rows}')
  # In the order of the paths: b.png, x/a.png, y/a.png.
  assert source.labels.tolist() == [2, 0, 1]
  assert 'by the end of their path' in said(source)


def test_rows_of_files_that_are_not_there(labelled):
  text = ('file,label\nx/a.png,ant\nold/b.png,bee\nold/c.png,cow\n'
          'x/b.png,bee\n')
  source = labelled(['x/a.png', 'x/b.png'], text)
  assert source.class_names == ('ant', 'bee')
  assert '2 labels in it are for files that are no images here' in said(source)
  fails('1 images without a label', "'z.png'", '2 labels in it are for files',
        call=lambda: labelled(['x/a.png', 'x/b.png', 'z.png'], text))


@pytest.mark.parametrize('rows', [
    'train/1.png,ant\ntrain/2.png,bee\n', '1.png,ant\n2.png,bee\n',
    'train/1.png,ant\ntrain/2.png,bee\nval/1.png,bee\nval/3.png,cow\n'])
def test_train_is_taken_of_splits_with_a_csv_too(labelled, rows):
  names = ['train/1.png', 'train/2.png']
  names += ['val/3.png'] + ['val/1.png'] * rows.startswith('train')
  source = labelled(names, f'file,label\n{rows}')
  assert source.labels.tolist() == [0, 1]
  assert f"of the splits 'train', 'val': 2 of {len(names)}" in said(source)
  # An image of the one split has no label of the other.
  if 'val' not in rows:
    fails('images without a label', call=lambda: labelled(
        names, f'file,label\n{rows}', split='val'))


def test_celebas_own_list(labelled):
  source = labelled(['000001.jpg', '000002.jpg'], (
      '2\n5_o_Clock_Shadow Smiling Male \n000001.jpg -1  1  1\n'
      '000002.jpg -1 -1  1\n'))
  assert source.labels.tolist() == [[0, 1, 1], [0, 0, 1]]
  assert source.label_columns[1] == ('Smiling', 0, 1)
  source = labelled(['000001.jpg', '000002.jpg'],
                    '000001.jpg 2880\n000002.jpg 2937\n')
  assert source.class_names == ('2880', '2937')


def test_a_csv_may_lie_where_the_program_starts(tmp_path, monkeypatch):
  for name in ('a.png', 'b.png'):
    put(tmp_path / 'set' / name, encoded(GREY))
  put(tmp_path / 'l.csv', b'a.png,ant\nb.png,bee\n')
  monkeypatch.chdir(tmp_path)
  assert folder(path='set', labels='l.csv').class_names == ('ant', 'bee')
  put(tmp_path / 'set' / 'l.csv', b'a.png,cat\nb.png,dog\n')  # comes first
  assert folder(path='set', labels='l.csv').class_names == ('cat', 'dog')
  fails(str(tmp_path / 'set' / 'm.csv'), f"nor is there '{tmp_path}/m.csv'",
        call=lambda: folder(path='set', labels='m.csv'))


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_the_texts_that_windows_writes(labelled, tmp_path, encoding):
  text = 'file,label\r\nc.png,Käfer\r\nd.png,Biene\r\n'.encode(encoding)
  labelled(['c.png', 'd.png'], 'c.png,1\nd.png,2\n')
  put(tmp_path / 'labels.csv', text)
  source = folder(path=tmp_path / 'set', labels=str(tmp_path / 'labels.csv'))
  assert source.class_names == ('Biene', 'Käfer')
  assert source.labels.tolist() == [1, 0]
  with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
    for name in ('c.png', 'd.png'):
      archive.write(tmp_path / 'set' / name, name)
    archive.writestr('labels.csv', text)
  source = archives.zip(path=tmp_path / 'a.zip', labels='labels.csv')
  assert source.class_names == ('Biene', 'Käfer')


@pytest.mark.parametrize('name, text, place', [
    ('labels.csv', 'c.png,a\nd.png,Käfer\n', 'line 2: a label'),
    ('labels.csv', 'Datei;Größe;x\nc.png;1;2\nd.png;2;2\n', 'line 1: a name'),
    ('labels.json', '{"labels": [["c.png", "a"], ["d.png", "Käfer"]]}',
     'entry 1: a label')])
def test_labels_of_another_encoding_are_refused(labelled, tmp_path, name, text,
                                                place):
  labelled(['c.png', 'd.png'], 'c.png,1\nd.png,2\n')
  put(tmp_path / name, text.encode('cp1252'))
  fails(name, f'{place} that is not UTF-8', "as 'CSV UTF-8'",
        call=lambda: folder(path=tmp_path / 'set', labels=str(tmp_path / name)))


def test_missing_labels_are_counted(labelled):
  fails('3 images have no label', "'b.png' (line 3: 'nan')", "'d.png' (line 5",
        call=lambda: labelled(
            [f'{x}.png' for x in 'abcd'],
            'file,label\na.png,cat\nb.png,nan\nc.png,NA\nd.png,\n'))


def test_a_class_keeps_its_number_without_its_images(labelled):
  source = labelled(['train/a.png', 'test/b.png'], (
      'file,label\ntrain/a.png,7\ntest/b.png,5\n'), split='train')
  assert source.labels.tolist() == [1] and source.class_names == ('5', '7')


def test_webdatasets_numbers_and_lists(tmp_path):
  members = {}
  for i, label in enumerate((['Mass', 'Edema'], [], ['Mass'])):
    members |= {
        f'{i}.png': encoded(GREY + np.uint8(i)),
        f'{i}.json': json.dumps({'label': label, 'score': i / 4}).encode()}
  tarred(tmp_path / 'a.tar', members)
  source = webdataset(path=tmp_path / 'a.tar')
  assert source.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
  source = webdataset(path=tmp_path / 'a.tar', label_key='score')
  assert source.labels.tolist() == [[0.0], [0.5], [1.0]]
