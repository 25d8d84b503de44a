"""The loaders of other code bases, in the way that each reads its format.

Needs torch and, for folders, torchvision. Each gives batches (images uint8 [B,
C, H, W], labels), shuffled, from worker processes.
"""

import importlib.metadata
import json
import zipfile

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class Zip(Dataset):
  """Images in a zip file, one by one, opened in each worker.

  What StyleGAN3's `ImageFolderDataset` does where pyspng is not installed.
  """

  def __init__(self, path):
    self._path, self._archive = path, None
    with zipfile.ZipFile(path) as archive:
      labels = dict(json.loads(archive.read('dataset.json'))['labels'])
    self._names = sorted(labels)
    self._labels = [labels[name] for name in self._names]

  def __len__(self):
    return len(self._names)

  def __getitem__(self, index):
    if self._archive is None:
      self._archive = zipfile.ZipFile(self._path)
    with self._archive.open(self._names[index]) as file:
      image = np.array(Image.open(file))
    return image.transpose(2, 0, 1), self._labels[index]


class Rows(Dataset):
  """Images in an HDF5 file, row by row, as BigGAN's loader reads ImageNet."""

  def __init__(self, path):
    import h5py
    self._path = path
    with h5py.File(path) as file:
      self._count = len(file['labels'])

  def __len__(self):
    return self._count

  def __getitem__(self, index):
    import h5py
    with h5py.File(self._path) as file:
      return file['imgs'][index], int(file['labels'][index])


def _folder(path):
  from torchvision import datasets, transforms
  return datasets.ImageFolder(path, transforms.PILToTensor())


def _loader(make):
  def load(path, batch, workers):
    return DataLoader(make(path), batch, shuffle=True, drop_last=True,
                      num_workers=workers, persistent_workers=workers > 0,
                      pin_memory=torch.cuda.is_available())
  return load


def _versions(*names):
  return lambda: ', '.join(
      f'{name} {importlib.metadata.version(name)}' for name in names)


LOADERS = {'zip': _loader(Zip), 'folder': _loader(_folder),
           'hdf5': _loader(Rows)}
VERSIONS = {'zip': _versions('torch', 'pillow'),
            'folder': _versions('torch', 'torchvision'),
            'hdf5': _versions('torch', 'h5py')}
