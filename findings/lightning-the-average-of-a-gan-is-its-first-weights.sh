#!/usr/bin/env bash
# One would guess: EMAWeightAveraging(update_every_n_steps=10) of PyTorch Lightning
# averages a GAN's weights at every tenth step, as it does for a single optimiser.
# What happens: it looks after each batch whether the number of optimiser steps less 1
# is a multiple of 10. A generator's and a discriminator's step make it 2 more a batch:
# it is odd each time, and no even update_every_n_steps ever fits. There is no update
# and no warning, and at the end the weights are replaced by the average, which is the
# untrained network. With 1 or an odd number there are updates.
# Who is hurt: whoever trains a GAN so (manual optimisation): what fit leaves and what
# validation scores is the network before the training. The weights that were trained
# are only in checkpoints, beside those that load_from_checkpoint takes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pytorch-lightning==2.6.6 torch==2.13.0 \
  numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import logging
import warnings

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch.utils.data import DataLoader, TensorDataset

warnings.simplefilter('ignore')  # of few workers and many cores
logging.getLogger('pytorch_lightning').setLevel(logging.ERROR)


class Game(pl.LightningModule):
  def __init__(self, players):
    super().__init__()
    self.automatic_optimization = False
    self.nets = torch.nn.ModuleList(torch.nn.Linear(1, 1, bias=False)
                                    for _ in range(players))
    for net in self.nets:
      torch.nn.init.zeros_(net.weight)

  def configure_optimizers(self):
    return [torch.optim.SGD(net.parameters(), 1.0) for net in self.nets]

  def training_step(self, batch, _):
    optimizers = self.optimizers()
    for net, optimizer in zip(self.nets, optimizers if len(self.nets) > 1
                              else [optimizers]):
      optimizer.zero_grad()
      self.manual_backward(-net(batch[0]).sum())  # each step adds 1
      optimizer.step()


def trained(players, every):
  """(updates of the average, weight after 100 batches)."""
  game, average = Game(players), EMAWeightAveraging(
      decay=0.5, update_every_n_steps=every)
  pl.Trainer(max_epochs=1, accelerator='cpu', logger=False, callbacks=[average],
             enable_checkpointing=False, enable_progress_bar=False,
             enable_model_summary=False).fit(
                 game, DataLoader(TensorDataset(torch.ones(100, 1))))
  return int(average._average_model.n_averaged), game.nets[0].weight.item()


print('pytorch-lightning', importlib.metadata.version('pytorch-lightning'))
found = {(players, every): trained(players, every)
         for players in (1, 2) for every in (1, 2, 9, 10)}
for (players, every), (updates, weight) in found.items():
  print(f'{players} optimiser(s), every {every:2}: {updates:3} updates,',
        f'weight {weight:.1f} (100 without an average)')
assert found[1, 10][0] == 10 and found[1, 2][0] == 50 and found[1, 10][1] > 80
assert found[2, 1][0] == 100 and found[2, 9][0] > 5
assert found[2, 2] == found[2, 10] == (0, 0.0)
PY
