"""Files of weights: graphs and state dicts are parsed, and never run."""

import gzip
import hashlib
import io
import logging
import pathlib
import pickle
import struct
import zipfile

import numpy as np
import pytest
from weight_files import (
  MATRIX,
  constant,
  tensor,
  text,
  words_only,
)

from gan_jax import lookup
from gan_jax.data.files import DataError
from gan_jax.extractors import (
  inception_net,
  inception_v3,
  torch_file,
)

# State dicts of torch.


def old_form(pickled, numbers=b'', keys=()):
  """A file of before torch 1.6: `pickled` is what state_dict pickled."""
  head = [pickle.dumps(v, 2) for v in (
      torch_file._MAGIC, 1001, {'little_endian': True})]
  return b''.join([*head, pickled, pickle.dumps(list(keys), 2), numbers])


def new_form(pickled, files=(), compression=zipfile.ZIP_STORED):
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', compression) as archive:
    archive.writestr('archive/data.pkl', pickled)
    for name, data in dict(files).items():
      archive.writestr(f'archive/{name}', data)
  return out.getvalue()


def state(**tensors):
  return (b'\x80\x02ccollections\nOrderedDict\n)R(' + b''.join(
      text(name) + value for name, value in tensors.items()) + b'u.')


def both(pickled):
  """The same in either form, with one storage '0'."""
  numbers = MATRIX.tobytes()
  size = struct.pack('<q', len(numbers) // 4)
  return [old_form(pickled, size + numbers, ['0']),
          new_form(pickled, {'data/0': numbers})]


@pytest.mark.parametrize('form', [0, 1])
def test_a_state_dict_by_hand(form):
  found = torch_file.state_dict(both(state(
      a=tensor(), b=tensor(shape=(3,), strides=(1,), offset=2)))[form])
  np.testing.assert_array_equal(found['a'], MATRIX)
  assert found['b'].tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize('new', [True, False])
def test_a_state_dict_of_torch(new):
  torch = pytest.importorskip('torch')
  net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1, bias=False),
                            torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
  wanted = net.state_dict()
  wanted['half'] = torch.arange(6, dtype=torch.float16)[2:]
  wanted['parameter'] = torch.nn.Parameter(torch.ones(2))
  file = io.BytesIO()
  torch.save(wanted, file, _use_new_zipfile_serialization=new)
  found = torch_file.state_dict(file.getvalue())
  assert list(found) == list(wanted)
  for name, value in wanted.items():
    value = value.detach().numpy()
    assert found[name].dtype == value.dtype
    np.testing.assert_array_equal(found[name], value)
  file = io.BytesIO()
  torch.save({'x': torch.ones(2, 3).T}, file,
             _use_new_zipfile_serialization=new)
  with pytest.raises(ValueError, match='not contiguous'):
    torch_file.state_dict(file.getvalue())


@pytest.mark.parametrize('form', [0, 1])
@pytest.mark.parametrize('pickled,words', [
    (state(a=tensor(offset=1)), 'larger than its storage'),
    (state(a=tensor(shape=(9, 3))), 'larger than its storage'),
    (state(a=tensor(strides=(1, 2))), 'not contiguous'),
    (state(a=tensor(strides=(1,))), 'makes no sense'),
    (state(a=tensor(key='7')), 'makes no sense'),
    (state(a=tensor(kind='QInt8Storage')), 'QInt8Storage'),
    (state(a=b'K\x07'), 'a int where a tensor|no sense'),
    (state(a=b'N'), 'a NoneType where a tensor|no sense'),
    (b'\x80\x02].', 'a list, not a dict|no attribute'),
    (b'\x80\x02t.', 'sense'), (b'\x80\x02h\x05.', 'sense'),
    (b'\x80\x02}}K\x01s.', 'sense'),
    (b'\x80\x02}', 'exhausted|no sense|no state')
], ids=words_only)
def test_a_state_dict_that_makes_no_sense(form, pickled, words):
  with pytest.raises(ValueError, match=words):
    torch_file.state_dict(both(pickled)[form])


class Hostile:
  """Leaves a trace where it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (self.path,)


def hostile_pickles(trace):
  name = str(trace)
  call = f"open({name!r}, 'w')"
  return {
      'reduce': pickle.dumps(Hostile(trace), 2),
      'stack_global': pickle.dumps(Hostile(trace), 4),
      'protocol_0': pickle.dumps(Hostile(trace), 0),
      'inst': f"(S'{name}'\nS'w'\nibuiltins\nopen\n.".encode(),
      'obj': b'(cbuiltins\nopen\n' + text(name) + text('w') + b'o.',
      'newobj': (b'\x80\x02cpathlib\nPath\n' + text(name) + b'\x85\x81.'),
      'eval': b'\x80\x02cbuiltins\neval\n' + text(call) + b'\x85R.',
      'build': (b'\x80\x02ccollections\nOrderedDict\n}' + text('__setstate__')
                + b'cbuiltins\neval\nsb' + text(call) + b'b.'),
      'extension': b'\x80\x02\x82\x01' + text(call) + b'\x85R.',
      'within': state(a=b'cbuiltins\neval\n' + text(call) + b'\x85R'),
      'storage': state(a=b'cbuiltins\neval\n' + text(call) + b'\x85RQ'),
  }


@pytest.mark.parametrize('kind', hostile_pickles(''))
def test_a_hostile_pickle_runs_nothing(kind, tmp_path):
  trace = tmp_path / 'trace'
  pickled = hostile_pickles(trace)[kind]
  # In place of the state dict, of what comes before, and of what comes after.
  files = [*both(pickled), pickled, new_form(state(), {'byteorder': pickled}),
           b''.join(pickle.dumps(v, 2) for v in (torch_file._MAGIC, 1001))
           + pickled, old_form(state(a=tensor()))[:-4] + pickled]
  for i, data in enumerate(files):
    path = tmp_path / f'{i}.pth'
    path.write_bytes(data)
    with pytest.raises(DataError):
      inception_v3.inception(weights=str(path))
    with pytest.raises(ValueError):
      torch_file.state_dict(data)
  assert not trace.exists()


def test_the_hostile_pickles_are_hostile(tmp_path):
  """Otherwise the test above would prove nothing."""
  for kind in ('reduce', 'stack_global', 'protocol_0', 'inst', 'obj', 'eval'):
    trace = tmp_path / kind
    loaded = pickle.loads(hostile_pickles(trace)[kind])
    assert trace.exists(), kind
    if loaded is not None:
      loaded.close()


@pytest.mark.parametrize('form', [0, 1])
def test_every_cut_and_every_changed_byte_is_a_value_error_at_most(form):
  data = both(state(a=tensor(), b=tensor()))[form]
  for i in range(len(data)):
    changed = bytearray(data)
    changed[i] ^= 0x55
    for broken in (data[:i], bytes(changed)):
      try:
        found = torch_file.state_dict(broken)
      except ValueError:
        continue
      assert all(v.size <= 6 for v in found.values())


@pytest.mark.parametrize('data,words', [
    (new_form(state(), {'constants.pkl': b''}), 'TorchScript'),
    (new_form(state(), {'byteorder': b'big'}), 'big-endian'),
    (new_form(state(), {}, zipfile.ZIP_DEFLATED), 'compressed'),
    (old_form(state(a=tensor())).replace(b'\x88', b'\x89', 1), 'big-endian'),
    (old_form(state(a=tensor()), struct.pack('<q', -6), ['0']), '-6 numbers')
], ids=words_only)
def test_other_files_of_torch(data, words):
  with pytest.raises(ValueError, match=words):
    torch_file.state_dict(data)


# From a file to an extractor.


@pytest.fixture
def tiny(monkeypatch):
  """An Inception of two layers and few classes: {name: array}."""
  monkeypatch.setattr(inception_net, 'table', lambda: [
      ('Conv2d_1a_3x3', 'conv', (3, 3, 3, 4)),
      ('Mixed_5b.branch1x1', 'mixed/conv', (1, 1, 4, 5))])
  monkeypatch.setattr(inception_net, 'CLASSES', 3)
  monkeypatch.setattr(inception_net, 'FEATURES', 5)
  draw = np.random.RandomState(0)
  return {name: draw.random_sample(shape).astype(np.float32)
          for name, shape in inception_net.shapes().items()}


def graph_of(tensors):
  parts = dict(gamma='weight', beta='bias', moving_mean='running_mean',
               moving_variance='running_var')
  out = constant('softmax/weights', tensors['fc.weight'].T)
  for name, graph, _ in inception_net.table():
    kernel = tensors[f'{name}.conv.weight'].transpose(2, 3, 1, 0)
    out += constant(f'{graph}/conv2d_params', kernel)
    for theirs, ours in parts.items():
      out += constant(f'{graph}/batchnorm/{theirs}',
                      tensors[f'{name}.bn.{ours}'])
  return out


def torch_of(tensors):
  torch = pytest.importorskip('torch')
  file = io.BytesIO()
  torch.save({**{k: torch.from_numpy(v) for k, v in tensors.items()},
              'fc.bias': torch.zeros(3)}, file)
  return file.getvalue()


@pytest.mark.parametrize('write', [graph_of, torch_of])
def test_both_files_give_the_same_extractor(write, tiny, tmp_path):
  path = tmp_path / 'weights'
  path.write_bytes(write(tiny))
  found = inception_v3.read(str(path), path.read_bytes())
  assert list(found) == list(tiny)
  for name, value in tiny.items():
    np.testing.assert_array_equal(found[name], value)
  extractor = lookup.build('gan_jax.extractors', dict(
      name='inception', weights=str(path), resizer='clean'))
  assert extractor.sha256 == inception_v3.build(tiny, 'clean', {}).sha256


def test_a_file_that_is_not_known_is_a_warning(
    tiny, tmp_path, monkeypatch, caplog):
  path = tmp_path / 'weights.pb'
  path.write_bytes(graph_of(tiny))
  sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
  with caplog.at_level(logging.WARNING):
    found = inception_v3.inception(weights=str(path))
  assert sha256 in caplog.text
  assert found.notes == dict(resizer='tf1', weights_file='unknown',
                             weights_file_sha256=sha256)
  caplog.clear()
  monkeypatch.setitem(inception_v3._KNOWN, sha256, 'weights of 2015')
  found = inception_v3.inception(weights=str(path))
  assert found.notes['weights_file'] == 'weights of 2015' and not caplog.text


@pytest.mark.parametrize('change,words', [
    (lambda t: t.pop('Mixed_5b.branch1x1.bn.bias'), 'branch1x1.bn.bias is abs'),
    (lambda t: t.update({'fc.weight': np.zeros((2, 5), np.float32)}),
     r'fc.weight is \(2, 5\), not \(3, 5\)'),
    (lambda t: t['Conv2d_1a_3x3.bn.weight'].fill(np.nan), 'NaN or Inf')])
def test_other_weights_are_refused(change, words, tiny, tmp_path):
  change(tiny)
  path = tmp_path / 'weights.pth'
  path.write_bytes(torch_of(tiny))
  with pytest.raises(DataError, match=words):
    inception_v3.inception(weights=str(path))


@pytest.mark.parametrize('data,words', [
    (gzip.compress(b'x'), 'a gzip file; .*inception-2015-12-05.tgz'),
    (b'<html>', 'a web page'), (b'\n', 'damaged'), (b'PK\x03\x04', 'damaged'),
    (pickle.dumps({}, 4), 'a pickle, which is never loaded')], ids=words_only)
def test_other_files_are_refused(data, words, tmp_path):
  path = tmp_path / 'weights.pb'
  path.write_bytes(data)
  with pytest.raises(DataError, match=words):
    inception_v3.inception(weights=str(path))


def test_a_spec_without_weights_or_with_another_resizer():
  room = 'gan_jax.extractors'
  problem, = lookup.check(room, dict(name='inception'), 'extractor')
  assert 'inception also needs weights' in str(problem)
  problem, = lookup.check(room, dict(name='inception', weights='x',
                                     resizer='tf2'), 'extractor')
  assert 'did you mean "tf1"' in str(problem)
  with pytest.raises(DataError, match='no such file'):
    lookup.build(room, dict(name='inception', weights='/no/file.pb'))
