"""Serves a page on 127.0.0.1 during training."""

import contextlib
import http
import http.server
import os
import threading
import urllib.parse
from collections.abc import Iterator

from gan_jax.base.errors import RequestError, UserError
from gan_jax.views.report.page import ASSETS, Page

_HOST = '127.0.0.1'
_TYPES = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript',
          '.css': 'text/css', '.png': 'image/png', '.gif': 'image/gif',
          '.txt': 'text/plain; charset=utf-8'}


@contextlib.contextmanager
def serving(page: Page, port: int = 0) -> Iterator[str]:
  """Yields the URL of a page; also writes it, at the start and at the end.

  URLs are paths relative to the common folder of the page and its runs, but
  only files of the page and images of its runs are served. `port`: 0 for a free
  one.

  Raises:
    RequestError: the port is not available; nothing is written.
    WorkdirError: the folder cannot be written.
  """
  home = os.path.commonpath([os.path.realpath(path) for path in (
      page.out, *(record.folder for record in page.records))])
  at = urllib.parse.quote(os.fsencode(os.path.relpath(
      os.path.realpath(page.out), home)))
  at = '/' if at == '.' else f'/{at}/'

  handler = type('Handler', (_Handler,), {
      'page': page, 'home': home, 'at': at, 'lock': threading.Lock(),
      'known': ('', b'')})
  try:
    server = http.server.ThreadingHTTPServer((_HOST, port), handler)
  except (OSError, OverflowError) as e:
    raise RequestError(f'--port={port} of {_HOST} is not available: {e}; '
                       '--port=0 takes a free one') from e
  port = server.server_address[1]
  handler.hosts = {f'{_HOST}:{port}', f'localhost:{port}'}
  with server:
    page.write()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
      yield f'http://{_HOST}:{port}{at}'
    finally:
      server.shutdown()
      thread.join()
  page.write()


class _Handler(http.server.BaseHTTPRequestHandler):
  """Answers GET; 404 for everything else than the page and its images."""

  protocol_version = 'HTTP/1.1'

  def handle(self):
    """Answers until the browser goes away, which is no error."""
    with contextlib.suppress(ConnectionError):
      super().handle()

  def do_GET(self):
    """Sends a file."""
    path = self.path.partition('?')[0]
    # Against DNS rebinding: a site whose name resolves to 127.0.0.1.
    if self.headers.get('Host') not in self.hosts:
      return self._nothing()
    if path == '/' != self.at:
      return self._send(http.HTTPStatus.FOUND, b'', Location=self.at)
    if path == f'{self.at}data.js':
      return self._data()
    name = self._file(path)
    try:
      with open(name, 'rb') as file:
        data = file.read()
    except OSError:
      return self._nothing()
    self._send(http.HTTPStatus.OK, data,
               **{'Content-Type': _TYPES[os.path.splitext(name)[1]]})

  def log_message(self, *_):
    """Logs nothing."""

  def _data(self):
    """Sends data.js; 304 if nothing has changed."""
    with self.lock:
      try:
        version = self.page.version
        if version != self.known[0]:
          type(self).known = version, self.page.data(following=True)
      except (UserError, OSError):  # A folder was moved or damaged.
        return self._nothing()
      version, data = self.known
    tag = f'"{hash(version):x}"'
    if self.headers.get('If-None-Match') == tag:
      return self._send(http.HTTPStatus.NOT_MODIFIED, b'', ETag=tag)
    self._send(http.HTTPStatus.OK, data, ETag=tag,
               **{'Content-Type': _TYPES['.js']})

  def _file(self, url) -> str:
    """File of a URL, '' if it may not be served."""
    parts = urllib.parse.unquote(url, errors='surrogateescape').split('/')[1:]
    if url.endswith('/'):
      parts[-1] = 'index.html'
    name = os.path.join(self.home, *parts)
    if '' in parts or {'.', '..'} & set(parts) or '\0' in url + name:
      return ''
    # No symbolic links.
    known = os.path.realpath(name) == name and self._may_see(*os.path.split(
        name))
    return name if known else ''

  def _may_see(self, folder, name):
    if folder == os.path.realpath(self.page.out):
      return name in (*ASSETS, 'index.html') or name.endswith('.png')
    for record in self.page.records:
      run = os.path.realpath(record.folder)
      if folder == run and name in ('curves.png', 'training.gif'):
        return True
      if folder == os.path.join(run, 'samples') and name.endswith('.png'):
        return True
    return False

  def _nothing(self):
    self._send(http.HTTPStatus.NOT_FOUND, b'404: no such file\n',
               **{'Content-Type': _TYPES['.txt']})

  def _send(self, status, data, **headers):
    self.send_response(status)
    headers |= {'Content-Length': str(len(data)), 'Cache-Control': 'no-cache',
                'X-Content-Type-Options': 'nosniff',
                'Content-Security-Policy': "default-src 'self'; "
                "img-src 'self' data:",
                'Cross-Origin-Resource-Policy': 'same-origin'}
    for name, value in headers.items():
      self.send_header(name, value)
    self.end_headers()
    self.wfile.write(data)
