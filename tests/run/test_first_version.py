"""The folder of a run that version 0.1.0 of this program wrote.

`configs/ring.py:quick`, four steps. It must stay of use.
"""

import json
import pathlib
import zipfile

import pytest
import tiny

pytestmark = tiny.READS_CONFIGS
RING = '--config=configs/ring.py:quick'


@pytest.fixture
def folder(tmp_path):
  path = pathlib.Path(__file__).with_name('first_version.zip')
  with zipfile.ZipFile(path) as archive:
    archive.extractall(tmp_path / 'ring')
  return tmp_path / 'ring'


def test_it_is_finished_and_goes_on(folder, cli):
  status, _, said = cli(RING, f'--workdir={folder}')
  assert status == 0 and 'finished' in said, said
  status, _, said = cli(RING, f'--workdir={folder}', '--config.train_steps=6')
  assert status == 0 and 'resuming' in said, said
  assert [row['step'] for row in tiny.rows(folder)] == [2, 4, 6]


def test_it_can_be_sampled_scored_and_compared(folder, cli):
  status, printed, said = cli('--mode=sample', f'--workdir={folder}',
                              '--num_samples=4', f'--out={folder / "a.npz"}')
  assert status == 0 and '4 vectors of step 4' in printed, said
  before = (folder / 'scores.jsonl').read_text()
  status, printed, said = cli('--mode=evaluate', f'--workdir={folder}')
  assert status == 0, said
  # Step 4 was scored by the run, under the same protocol; step 2 was not.
  after = (folder / 'scores.jsonl').read_text()
  assert after.startswith(before)
  assert {json.loads(line)['step']
          for line in after[len(before):].splitlines()} == {2}
  status, printed, said = cli('--mode=compare', str(folder))
  assert status == 0 and 'modes_16' in printed, said
