"""State dicts of torch and graphs of TensorFlow: parsed, and never run."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from canary import Canary
from weight_files import (
  MATRIX,
  constant,
  field,
  tensor,
  text,
  varint,
  words_only,
)

from gan_jax.base.errors import DataError
from gan_jax.extractors import inception_v3, weight_files


def old_form(pickled, numbers=b'', keys=()):
  """A file of before torch 1.6: `pickled` is what state_dict pickled."""
  head = [pickle.dumps(v, 2) for v in (
      weight_files._MAGIC, 1001, {'little_endian': True})]
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
  found = weight_files.state_dict(both(state(
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
  found = weight_files.state_dict(file.getvalue())
  assert list(found) == list(wanted)
  for name, value in wanted.items():
    value = value.detach().numpy()
    assert found[name].dtype == value.dtype
    np.testing.assert_array_equal(found[name], value)
  file = io.BytesIO()
  torch.save({'x': torch.ones(2, 3).T}, file,
             _use_new_zipfile_serialization=new)
  with pytest.raises(ValueError, match='not contiguous'):
    weight_files.state_dict(file.getvalue())


@pytest.mark.parametrize('form', [0, 1])
@pytest.mark.parametrize('pickled,words', [
    (state(a=tensor(offset=1)), 'larger than its storage'),
    (state(a=tensor(shape=(9, 3))), 'larger than its storage'),
    (state(a=tensor(strides=(1, 2))), 'not contiguous'),
    (state(a=tensor(strides=(1,))), 'not contiguous'),
    (state(a=tensor(strides=(3, 1, 1))), 'longer'),
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
    weight_files.state_dict(both(pickled)[form])


def hostile_pickles(trace):
  name = str(trace)
  call = f"open({name!r}, 'w')"
  return {
      'reduce': pickle.dumps(Canary(trace), 2),
      'stack_global': pickle.dumps(Canary(trace), 4),
      'protocol_0': pickle.dumps(Canary(trace), 0),
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
           b''.join(pickle.dumps(v, 2) for v in (weight_files._MAGIC, 1001))
           + pickled, old_form(state(a=tensor()))[:-4] + pickled]
  for i, data in enumerate(files):
    path = tmp_path / f'{i}.pth'
    path.write_bytes(data)
    with pytest.raises(DataError):
      inception_v3.inception(weights=str(path))
    with pytest.raises(ValueError):
      weight_files.state_dict(data)
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
        found = weight_files.state_dict(broken)
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
    weight_files.state_dict(data)


# Graphs.


@pytest.mark.parametrize('content', [True, False])
def test_constants_of_a_graph(content):
  data = (constant('a/b', MATRIX, content=content)
          + constant('whole', MATRIX, dtype=3)
          + constant('c', MATRIX, op=b'Placeholder')
          + field(1, field(1, b'd') + field(2, b'Relu') + field(3, b'a/b'))
          + constant('e', np.float32(7), content=content)
          + field(4, field(1, 21)))
  found = weight_files.graph_constants(data)
  assert list(found) == ['a/b', 'e']
  np.testing.assert_array_equal(found['a/b'], MATRIX)
  assert found['e'].shape == () and found['e'] == 7.0


def test_values_of_a_tensor_one_at_a_time_and_the_last_for_the_rest():
  number = varint(5 << 3 | 5) + struct.pack('<f', 2.0)
  shape = field(2, field(1, 3))
  for values, wanted in ((number, [2.0] * 3), (number * 3, [2.0] * 3)):
    tensor = field(1, 1) + field(2, shape) + values
    node = (field(1, b'x') + field(2, b'Const')
            + field(5, field(1, b'value') + field(2, field(8, tensor))))
    assert weight_files.graph_constants(field(1, node))['x'].tolist() == wanted


def test_every_cut_through_a_graph_is_noticed():
  data = constant('a', MATRIX)
  for end in range(1, len(data)):
    with pytest.raises(ValueError):
      weight_files.graph_constants(data[:end])


@pytest.mark.parametrize('data,words', [
    (b'\xff' * 11, 'no graph of TensorFlow'),
    (b'\x0b', 'no graph of TensorFlow'),
    (field(1, field(1, b'\xff')), 'no graph of TensorFlow'),
    (constant('a', MATRIX).replace(field(1, 3), field(1, 4)), '5 values|shape'),
    (field(1, field(2, b'Const') + field(5, field(1, b'value') + field(
        2, field(8, field(1, 1) + field(2, field(2, field(1, 2**60)))
                 + field(5, b'\0\0\0\0'))))), 'shape')], ids=words_only)
def test_a_graph_that_makes_no_sense(data, words):
  with pytest.raises(ValueError, match=words):
    weight_files.graph_constants(data)
