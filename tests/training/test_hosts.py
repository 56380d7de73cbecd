"""The roll call of hosts, whether they would do the same, and who is gone: with threads in the place of hosts."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from jaxlab.errors import UserError
from jaxlab.training import hosts
from tests.cli import command


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Played:
    """Hosts as threads: what each said, what it raised, how it was ended."""

    def __init__(self, patience: float = 20.0):
        self.address, self.patience = f'127.0.0.1:{free_port()}', patience
        self.said: dict[int, list[str]] = {}
        self.raised: dict[int, str] = {}
        self.ended: dict[int, tuple[str, int]] = {}
        self.joined: dict[int, hosts.Hosts] = {}
        self.threads: list[threading.Thread] = []

    def start(self, number: int, count: int, then: Callable[[hosts.Hosts], None] = lambda joined: None) -> None:
        key = number if number not in self.said else number + 100  # a second one of the same number
        self.said[key] = []

        def end(line: str, code: int) -> None:
            self.ended.setdefault(key, (line, code))

        def run() -> None:
            try:
                self.joined[key] = hosts.join(self.address, number, count, self.patience, self.said[key].append, end)
                then(self.joined[key])
            except UserError as error:
                self.raised[key] = str(error)

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def wait(self) -> None:
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()

    def die(self, number: int) -> None:
        """As the system ends the lines of a process that was killed."""
        self.joined[number]._tell = lambda **message: None
        for line in self.joined[number]._lines.values():
            line.close()

    def wait_for_ends(self, *numbers: int) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until and not set(numbers) <= self.ended.keys():
            time.sleep(0.01)
        assert set(numbers) <= self.ended.keys()


@pytest.fixture
def played(monkeypatch):
    monkeypatch.setattr(hosts, 'SETTLING', 0.2)
    return Played()


@pytest.fixture
def three(played):
    for number in (2, 0, 1):
        played.start(number, 3)
    played.wait()
    assert played.joined.keys() == {0, 1, 2} and not played.raised
    return played


def test_all_say_who_is_missing_until_it_comes(played, monkeypatch):
    monkeypatch.setattr(hosts, 'REMINDER', 0.3)
    played.start(2, 3)
    time.sleep(0.8)
    assert played.said[2][0] == f'host 2 waits for host 0 at {played.address}'
    played.start(0, 3)
    time.sleep(1.5)
    name = socket.gethostname()
    for number in (0, 2):
        assert played.said[number][-1] == f'2 of 3 hosts have come: 0 ({name}), 2 ({name}); missing: 1'
    played.start(1, 3)
    played.wait()
    assert played.joined.keys() == {0, 1, 2} and played.said[1] == []


def test_a_host_that_never_comes_is_an_error_everywhere(played):
    played.patience = 1.0
    played.start(0, 3)
    played.start(1, 3)
    played.wait()
    assert 'missing: 2 after 1 s' in played.raised[0] and '--join_seconds' in played.raised[0]
    assert 'missing: 2' in played.raised[1]


def test_no_host_0(played):
    played.patience = 0.6
    played.start(1, 2)
    played.wait()
    assert f'host 1 found no host 0 at {played.address}' in played.raised[1]


def test_who_else_knocks_is_sent_away(played):
    """Something else that speaks, and a host that died while it waited and comes again."""
    played.start(0, 2)
    time.sleep(0.2)
    host, port = played.address.split(':')
    for words in (b'GET / HTTP/1.1\r\n', b'[1]\n', b'\xff\xfe\n'):
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(words)
    with socket.create_connection((host, int(port))) as dying:
        dying.sendall(b'{"host": 1, "of": 3, "name": "old"}\n'.replace(b'3', b'2'))
        time.sleep(0.3)
    # The last to come completes the call, so the old one took the place; a new start of all follows.
    played.wait()
    played.wait_for_ends(0)
    assert played.ended[0] == ('host 1 (old) is gone: host 0 ends with exit code 42', 42)


def test_a_host_that_came_twice(played):
    """Dead before, it takes its place again; alive, both are refused by name."""
    played.start(0, 3)
    host, port = played.address.split(':')
    time.sleep(0.2)
    with socket.create_connection((host, int(port))) as dying:
        dying.sendall(b'{"host": 1, "of": 3, "name": "old"}\n')
        time.sleep(0.2)
    played.start(1, 3)
    time.sleep(0.5)
    played.start(1, 3)
    played.wait()
    assert 'say that they are host 1' in played.raised[0]
    assert 'say that they are host 1' in played.raised[1] and 'say that they are host 1' in played.raised[101]


def test_another_number_of_hosts(played):
    played.start(0, 2)
    played.start(1, 3)
    played.wait()
    assert 'host 1 of 3' in played.raised[0] and 'host 1 of 3' in played.raised[1]


def test_a_port_that_is_taken(played):
    with socket.create_server(('', int(played.address.split(':')[1]))):
        played.start(0, 2)
        played.wait()
    assert 'cannot be used: Address already in use' in played.raised[0]


@pytest.mark.parametrize('different', [None, 0, 2])
def test_hosts_must_be_alike(different, played):
    def then(joined: hosts.Hosts) -> None:
        facts = {'code': 'abc', 'number of devices': '4'}
        joined.same({**facts, 'code': 'xyz'} if joined.number == different else facts)

    for number in range(3):
        played.start(number, 3, then)
    played.wait()
    if different is None:
        assert not played.raised
        return
    name = socket.gethostname()
    assert set(played.raised) == {0, 1, 2} and len(set(played.raised.values())) == 1
    if different == 2:
        assert f'the hosts differ: code is xyz on host 2 ({name}) and abc on host 0 ({name})' in played.raised[1]
    else:
        assert f'code is abc on host 1 ({name}) and xyz on host 0 ({name}); code is abc on host 2' in played.raised[1]


def test_differences_in_words():
    names = {0: 'a', 1: 'b'}
    assert hosts.difference({'x': '1'}, {1: {'x': '1'}}, names) == ''
    assert 'y is 2 on host 1 (b) and not set on host 0 (a)' in hosts.difference({}, {1: {'y': '2'}}, names)
    many = hosts.difference({}, {1: {str(name): '' for name in range(7)}}, names)
    assert '(and 2 more)' in many and len(many.splitlines()) == 1


@pytest.mark.parametrize('dead', [0, 2])
def test_the_others_say_who_is_gone(dead, three):
    three.die(dead)
    left = {0, 1, 2} - {dead}
    three.wait_for_ends(*left)
    for number in left:
        line, code = three.ended[number]
        assert (
            code == 42 and line.startswith(f'host {dead} (') and line.endswith(f'host {number} ends with exit code 42')
        )


@pytest.mark.parametrize('code', [None, 2])
def test_an_end_is_told_once(code, three, monkeypatch):
    """Those that are left would tell each other for ever, as long as they live."""
    said = []
    send = hosts.Line.send
    monkeypatch.setattr(hosts.Line, 'send', lambda line, **message: (said.append(message), send(line, **message))[-1])
    if code:
        three.joined[2].leave(code)
    three.die(2)
    three.wait_for_ends(0, 1)
    time.sleep(1)
    assert 1 <= len(said) <= 6


def test_who_leaves_is_not_gone(three):
    three.joined[1].leave(0)
    three.die(1)
    time.sleep(0.3)
    assert 0 not in three.ended and 2 not in three.ended


@pytest.mark.parametrize('failing', [0, 1])
def test_one_that_fails_ends_all_with_its_code(failing, three):
    three.joined[failing].leave(2)
    three.die(failing)
    others = {0, 1, 2} - {failing}
    three.wait_for_ends(*others)
    for number in others:
        assert three.ended[number][1] == 2 and f'host {failing} (' in three.ended[number][0]


def test_a_machine_that_falls_silent_is_found_by_the_system(three):
    """Nothing is sent while all is well: the system asks, three times, and is heard within 30 s."""
    connection = three.joined[1]._lines[0]._connection
    idle, between, times = (
        connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        for name in ('TCP_KEEPIDLE', 'TCP_KEEPINTVL', 'TCP_KEEPCNT')
    )
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) and idle + between * times <= 30


def test_an_abort_waits_for_the_line():
    """jax aborts in the moment in which host 0 is found gone; an abort for another reason stays one."""
    program = """
import os, sys, threading, time
from jaxlab.training import hosts
from tests.cli import command
hosts.SETTLING = 0.5
hosts._outlast_jax()
if sys.argv[1] == 'gone':
    threading.Thread(target=lambda: (time.sleep(0.2), hosts.end_process('host 0 is gone', 42)), daemon=True).start()
os.abort()
"""
    for why, code, said in (('gone', 42, 'host 0 is gone\n'), ('other', -signal.SIGABRT, '')):
        words = [sys.executable, '-c', program, why]
        done = subprocess.run(words, cwd=command.ROOT, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (code, said)
