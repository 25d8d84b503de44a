"""Chromium without a window, driven through two pipes: no further library."""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import tempfile
import time

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')


@contextlib.contextmanager
def opened(url, folder, width=1280, height=900, scale=1):
  """A `Page` of a url; `folder` gets what it downloads."""
  # The paths of its sockets, which lie in TMPDIR, must be short.
  with tempfile.TemporaryDirectory(
      dir='/tmp', ignore_cleanup_errors=True) as home:
    process, our_in, our_out = _started(home)
    try:
      page = Page(our_in, our_out)
      page.call('Browser.setDownloadBehavior', behavior='allow',
                downloadPath=str(folder))
      page.attach()
      page.call('Emulation.setDeviceMetricsOverride', width=width,
                height=height, deviceScaleFactor=scale, mobile=width < 500)
      page.call('Page.navigate', url=url)
      yield page
    finally:
      os.killpg(process, signal.SIGKILL)
      os.waitpid(process, 0)
      os.close(our_in)
      os.close(our_out)


def _started(home):
  """(process, what it writes to, what it reads from)."""
  # Of the DevTools protocol: 3 is what it reads, 4 what it writes.
  their_in, our_out = os.pipe()
  our_in, their_out = os.pipe()
  quiet = os.open(os.devnull, os.O_RDWR)
  process = os.posix_spawn(CHROMIUM, [
      CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu',
      '--remote-debugging-pipe', f'--user-data-dir={home}/profile',
      '--disable-background-networking', 'about:blank'],
                           os.environ | {'TMPDIR': home}, file_actions=[
      (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2),
      (os.POSIX_SPAWN_DUP2, their_in, 3), (os.POSIX_SPAWN_DUP2, their_out, 4)],
                           setpgroup=0)
  for fd in (their_in, their_out, quiet):
    os.close(fd)
  return process, our_in, our_out


class Page:
  """A page; `seconds` is how long any answer may take."""

  def __init__(self, reader, writer, seconds=120):
    self._reader, self._writer, self._seconds = reader, writer, seconds
    self._id, self._session, self._rest = 0, {}, b''

  def attach(self):
    target, = (t for t in self.call('Target.getTargets')['targetInfos']
               if t['type'] == 'page')
    self._session = {'sessionId': self.call(
        'Target.attachToTarget', targetId=target['targetId'],
        flatten=True)['sessionId']}

  def call(self, method, **params):
    """The result of a method of the protocol."""
    self._id += 1
    message = {'id': self._id, 'method': method, 'params': params,
               **self._session}
    os.write(self._writer, json.dumps(message).encode() + b'\0')
    while (answer := self._read()).get('id') != self._id:
      pass
    assert 'error' not in answer, (method, answer['error'])
    return answer['result']

  def _read(self):
    while b'\0' not in self._rest:
      ready, _, _ = select.select([self._reader], [], [], self._seconds)
      assert ready, 'no answer'
      self._rest += (read := os.read(self._reader, 2**20))
      assert read, 'the browser has ended'
    message, _, self._rest = self._rest.partition(b'\0')
    return json.loads(message)

  def eval(self, code):
    """The value of a JavaScript expression; a promise is waited for."""
    result = self.call('Runtime.evaluate', expression=code, awaitPromise=True,
                       returnByValue=True, userGesture=True)
    assert 'exceptionDetails' not in result, result['exceptionDetails']
    return result['result'].get('value')

  def until(self, code):
    """Waits until an expression is true."""
    end = time.monotonic() + self._seconds
    while not (value := self.eval(code)):
      assert time.monotonic() < end, code
      time.sleep(0.02)
    return value

  def click(self, selector, count=1):
    """Clicks the middle of an element with the mouse."""
    x, y = self.middle(selector)
    for kind in ('mousePressed', 'mouseReleased'):
      self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left',
                clickCount=count)

  def drag(self, selector, by):
    """Touches the middle of an element and moves `by` pixels to the right."""
    x, y = self.middle(selector)
    for kind, points in (
        ('touchStart', [{'x': x, 'y': y}]),
        *(('touchMove', [{'x': x + by * i / 5, 'y': y}]) for i in range(1, 6)),
        ('touchEnd', [])):
      self.call('Input.dispatchTouchEvent', type=kind, touchPoints=points)

  def middle(self, selector):
    return self.eval(f'''(() => {{
        const element = document.querySelector({json.dumps(selector)});
        element.scrollIntoView({{block: 'center', behavior: 'instant'}});
        const box = element.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];}})()''')

  def key(self, key, code=''):
    text = {'text': key} if len(key) == 1 else {}
    for kind in ('keyDown', 'keyUp'):
      self.call('Input.dispatchKeyEvent', type=kind, key=key, code=code or key,
                windowsVirtualKeyCode={'ArrowLeft': 37, 'ArrowUp': 38,
                                       'ArrowRight': 39, 'ArrowDown': 40}.get(
                                           key, ord(key[0].upper())),
                **(text if kind == 'keyDown' else {}))

  def screenshot(self, path, whole=False):
    self.eval('scrollTo(0, 0)')
    data = self.call('Page.captureScreenshot', captureBeyondViewport=whole)
    with open(path, 'wb') as file:
      file.write(base64.b64decode(data['data']))
