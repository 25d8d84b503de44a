"""--mode=report --follow: what is served, and what is not."""

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

import pytest
import tiny

from gan_jax.base.errors import RequestError
from gan_jax.run import lock
from gan_jax.views.report.page import ASSETS, Page
from gan_jax.views.report.serve import serving


@pytest.fixture
def folder(copied_run, tmp_path):
  """A run, and beside it what is nobody's business."""
  run = copied_run('ring', 'home/run')
  (run / 'samples').mkdir()
  (run / 'samples' / 'step_00000000.png').write_bytes(b'grid')
  (run / 'samples' / 'link.png').symlink_to('/etc/passwd')
  (run / 'samples' / 'inside.png').symlink_to(run / 'config.json')
  (run / 'curves.png').write_bytes(b'curves')
  (run / 'scalars.jsonl').write_text('{"step": 2, "a": 1.0}\n')
  (run.parent / 'secret.png').write_bytes(b'secret')
  Page([run], run / 'report').write()
  (run / 'report' / 'nearest.png').write_bytes(b'near')
  (run / 'report' / 'secret').symlink_to(run.parent)
  return run


def test_a_name_that_is_no_utf8_is_served(folder):
  run = folder.rename(folder.parent / os.fsdecode(b'caf\xe9'))
  with serving(Page([run], run.parent / 'page')) as url:
    home = url.removesuffix('page/')
    with urllib.request.urlopen(
        f'{home}caf%E9/samples/step_00000000.png') as answer:
      assert answer.read() == b'grid'


@pytest.fixture
def get(folder):
  """get(path, **headers) -> (status, headers, body) of the page's server."""
  with serving(Page([folder], folder / 'report')) as url:
    place = url.split('/')[2]

    def get(path, **headers):
      connection = http.client.HTTPConnection(place, timeout=10)
      connection.putrequest('GET', path, skip_host='Host' in headers)
      for name, value in headers.items():
        connection.putheader(name.replace('_', '-'), value)
      connection.endheaders()
      answer = connection.getresponse()
      found = answer.status, answer.headers, answer.read()
      connection.close()
      return found

    get.url = url
    yield get


def test_a_browser_that_goes_away_leaves_no_traceback(get, capsys):
  host, port = get.url.split('/')[2].split(':')
  for sent in (b'', b'GET / HTTP/1.1\r\n'):
    with socket.create_connection((host, int(port))) as browser:
      browser.sendall(sent)
      # It is reset, not closed.
      browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack('ii', 1, 0))
  time.sleep(0.2)
  assert get('/')[0] == 302
  assert capsys.readouterr().err == ''


def test_the_page_and_its_pictures_are_served(folder, get):
  assert get.url.startswith('http://127.0.0.1:')
  assert get.url.endswith('/report/')
  status, headers, _ = get('/')
  assert (status, headers['Location']) == (302, '/report/')
  page = folder / 'report'
  for path, content, kind in (
      ('/report/', (page / 'index.html').read_bytes(), 'text/html'),
      *((f'/report/{name}', (page / name).read_bytes(), 'text/')
        for name in ASSETS),
      ('/report/nearest.png', b'near', 'image/png'),
      ('/samples/step_00000000.png?x', b'grid', 'image/png'),
      ('/curves.png', b'curves', 'image/png')):
    status, headers, body = get(path)
    assert (status, body) == (200, content), path
    assert headers['Content-Type'].startswith(kind)
    assert headers['X-Content-Type-Options'] == 'nosniff'


def test_all_else_is_404(get):
  for path in (
      '/config.json', '/scalars.jsonl', '/report/pictures.json',
      '/checkpoints/4', '/samples/', '/samples', '/report',
      '/report//index.html', '/../home/secret.png', '/..%2fsecret.png',
      '/%2e%2e/secret.png', '/report/../config.json',
      '/report/..%2f..%2fsecret.png', '/secret.png',
      '/report/secret/secret.png', '/samples/link.png', '/samples/inside.png',
      '/etc/passwd', '//etc/passwd', '/%2fetc/passwd', 'http://x/curves.png',
      '/report/index.html%00.png', '/report/./index.html', '/samples/none.png',
      '/best/curves.png', '/report/%ff.png',
      '/report/' + 'a' * 5000 + '.png'):
    status, _, body = get(path)
    assert (status, body) == (404, b'404: no such file\n'), path


def test_another_host_gets_nothing(get):
  """A page of another site whose name was made to lead to 127.0.0.1."""
  port = get.url.split(':')[2].split('/')[0]
  assert get('/report/', Host=f'evil.example:{port}')[0] == 404
  assert get('/report/', Host=f'localhost:{port}')[0] == 200


def test_what_is_new_is_sent_once(folder, get):
  status, headers, body = get('/report/data.js')
  data = json.loads(body[7:-2])
  assert status == 200 and data['following']
  assert data['runs'][0]['curves'] == {'a': [[2], [1.0], []]}
  assert 'finished' in data['tables']['status']
  tag = headers['ETag']
  assert get('/report/data.js', If_None_Match=tag)[::2] == (304, b'')
  with open(folder / 'scalars.jsonl', 'a') as file:
    file.write('{"step": 4, "a": 2.0}\n')
  with lock.hold(folder):
    status, headers, body = get('/report/data.js', If_None_Match=tag)
  data = json.loads(body[7:-2])
  assert status == 200 and headers['ETag'] != tag
  assert data['runs'][0]['curves'] == {'a': [[2, 4], [1.0, 2.0], []]}
  assert 'running' in data['tables']['status']
  # On the disk it is as it was, for a page that nobody serves.
  assert b'"following":false' in (folder / 'report' / 'data.js').read_bytes()


def test_a_damaged_score_does_not_end_the_server(folder, get, capfd):
  (folder / 'scores.jsonl').mkdir()
  assert get('/report/data.js')[0] == 404
  (folder / 'scores.jsonl').rmdir()
  assert get('/report/data.js')[0] == 200
  assert capfd.readouterr().err == ''


def test_only_this_machine_is_listened_to(get):
  port = int(get.url.split(':')[2].split('/')[0])
  with open('/proc/net/tcp') as file:
    places = [line.split()[1] for line in file if line.split()[3] == '0A']
  assert [place.split(':')[0] for place in places
          if place.endswith(f':{port:04X}')] == ['0100007F']


def test_a_port_in_use_is_named(folder):
  with socket.create_server(('127.0.0.1', 0)) as busy:
    port = busy.getsockname()[1]
    with pytest.raises(RequestError, match=f'--port={port}.*in use.*--port=0'):
      with serving(Page([folder], folder / 'report'), port):
        pass


def test_ctrl_c_ends_it_with_the_page_as_it_was_last(folder):
  # A shell that starts the tests with & has SIGINT ignored.
  with subprocess.Popen(
      ['env', '--default-signal=INT', sys.executable, '-m', 'gan_jax.main',
       '--mode=report', '--follow', f'--workdir={folder}'], cwd=tiny.ROOT,
      env=tiny.environment(1), stdout=subprocess.PIPE, text=True) as process:
    url = process.stdout.readline().split()[0]
    with urllib.request.urlopen(url) as answer:
      assert b'DATA' not in answer.read()
    with open(folder / 'scalars.jsonl', 'a') as file:
      file.write('{"step": 4, "a": 2.0}\n')
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
  assert said == f'the last state is in {folder}/report/index.html\n'
  assert b'[2,4]' in (folder / 'report' / 'data.js').read_bytes()
