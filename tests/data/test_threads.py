"""How far a long reading is: lines, where there is no terminal."""

from gan_jax.data import threads


def test_only_what_takes_long_says_how_far_it_is(monkeypatch, capsys):
  for wait, said in ((30, False), (0, True)):
    monkeypatch.setattr(threads, '_SILENT', wait)
    with threads.progress(8, 'classifier: train', 'step') as bar:
      bar.update(2)
    found = capsys.readouterr().err
    assert ('classifier: train:  25%' in found and '2/8' in found) == said
    assert bool(found) == said
