"""The hosts of one run: the roll call before it, whether all would do the same, and who goes while it runs.

Every host holds a line (TCP) to host 0, made at the coordinator's address before jax takes its port. The system itself
says when the other end of a line is gone: at once where a process died, after `SILENCE` seconds where a machine did. What
the host that finds it knows, host 0 passes on to all, and each ends with the exit code that asks for another start.
"""

import contextlib
import ctypes
import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from jaxlab.errors import UserError

RESTART = 42  # exit code: nothing is wrong with this host, start all again
SILENCE = 20  # seconds until a machine that says nothing at all is gone
REMINDER = 15.0  # seconds between two lines about hosts that have not come
SETTLING = 3.0  # seconds in which a host that died shows: what fails in between may be for want of it


class Line:
    """One JSON object a line, in both directions."""

    def __init__(self, connection: socket.socket):
        connection.settimeout(None)
        tcp = {'TCP_KEEPIDLE': SILENCE // 4, 'TCP_KEEPINTVL': SILENCE // 4, 'TCP_KEEPCNT': 3}
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in {**tcp, 'TCP_USER_TIMEOUT': 1000 * SILENCE}.items():
            if hasattr(socket, name):  # not everywhere are all of them
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._connection, self._reader = connection, connection.makefile('r', encoding='utf-8')
        self._writing = threading.Lock()

    def send(self, **message: Any) -> None:
        """Hands a message over; a line that is broken is found by who listens to it."""
        with contextlib.suppress(OSError), self._writing:
            self._connection.sendall(f'{json.dumps(message)}\n'.encode())

    def messages(self) -> Iterator[dict[str, Any]]:
        """What comes, until the other end is gone or does not speak this language."""
        with contextlib.suppress(OSError, ValueError):
            for line in self._reader:
                message = json.loads(line)
                if not isinstance(message, dict):
                    return
                yield message

    def is_open(self) -> bool:
        """Whether the other end still is there (as far as has been heard)."""
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class Hosts:
    """All hosts of a run, once they have joined. end: ends this process at once with an exit code, after a last line."""

    def __init__(
        self, number: int, names: Mapping[int, str], lines: Mapping[int, Line], end: Callable[[str, int], Any]
    ):
        self.number, self.names, self._lines, self._end = number, names, lines, end
        self._facts: queue.Queue[tuple[int, Mapping[str, str]]] = queue.Queue()
        self._verdict: queue.Queue[str] = queue.Queue()
        self._ending = False  # whether the end of this host is known to come: it is told once, not sent round and round
        for other in lines:
            threading.Thread(target=self._listen, args=(other,), daemon=True).start()

    def same(self, facts: Mapping[str, str]) -> None:
        """Raises UserError, on every host, where one of them has other facts than host 0."""
        if self.number:
            self._lines[0].send(facts=dict(facts))
            verdict = self._verdict.get()
        else:
            found = dict(self._facts.get() for _ in self._lines)
            verdict = difference(facts, found, self.names)
            self._tell(verdict=verdict)
        if verdict:
            raise UserError(verdict)

    def leave(self, code: int) -> None:
        """The last word of a host that ends by itself: the others need not take it for dead."""
        self._ending = code > 0
        self._tell(left=code, host=self.number)

    def settle(self) -> None:
        """After an error that the death of another host may have caused: where it did, the process ends in here."""
        time.sleep(SETTLING)

    def _tell(self, **message: Any) -> None:
        for line in self._lines.values():
            line.send(**message)

    def _listen(self, other: int) -> None:
        """To one line, as long as there is one."""
        left = False
        for message in self._lines[other].messages():
            if 'facts' in message:
                self._facts.put((other, message['facts']))
            if 'verdict' in message:
                self._verdict.put(message['verdict'])
            if 'gone' in message:
                self._gone(message['gone'])
            if 'left' in message:
                left = True
                if 0 < message['left'] < 128:  # a signal's code comes to all of them
                    self._failed(message['host'], message['left'])
        if not left:
            self._gone(other)

    def _gone(self, other: int) -> None:
        if self._ending:
            return
        self._ending = True
        self._tell(gone=other)
        name = self.names[other]
        self._end(f'host {other} ({name}) is gone: host {self.number} ends with exit code {RESTART}', RESTART)

    def _failed(self, other: int, code: int) -> None:
        if self._ending:
            return
        self._ending = True
        self._tell(left=code, host=other)
        time.sleep(SETTLING)  # what is wrong there may be wrong here, and said more clearly
        name = self.names[other]
        self._end(f'host {other} ({name}) failed with exit code {code}: host {self.number} ends with it', code)


def difference(mine: Mapping[str, str], theirs: Mapping[int, Mapping[str, str]], names: Mapping[int, str]) -> str:
    """What hosts have otherwise than host 0, in one line, or ''."""
    found = []
    for host, facts in sorted(theirs.items()):
        for name in sorted(mine.keys() | facts.keys()):
            here, there = mine.get(name, 'not set'), facts.get(name, 'not set')
            if here != there:
                found.append(f'{name} is {there} on host {host} ({names[host]}) and {here} on host 0 ({names[0]})')
    if not found:
        return ''
    more = f' (and {len(found) - 5} more)' if len(found) > 5 else ''
    return f'the hosts differ: {"; ".join(found[:5])}{more}; valid: the same code, command and data on all of them'


def join(
    address: str, number: int, count: int, patience: float, say: Callable[[str], None], end: Callable[[str, int], Any]
) -> Hosts:
    """Waits until all hosts have come to host 0's address. Raises UserError after `patience` seconds.

    Where some are missing, all that have come say every `REMINDER` seconds which.
    """
    _outlast_jax()
    call = _Call(address, count, patience, say)
    names, lines = call.held() if number == 0 else call.followed(number)
    return Hosts(number, names, lines, end)


def _outlast_jax() -> None:
    """jax aborts the process where its service on host 0 is gone, in the same moment in which that is found here: an abort
    waits until the process has ended with its line and its exit code, and goes on where it has another reason."""
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal(signal.SIGABRT, ctypes.cast(_wait, ctypes.c_void_p))


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _wait(number: int) -> None:
    time.sleep(SETTLING)
    ctypes.CDLL(None).signal(number, None)


class _Call:
    """The roll call."""

    def __init__(self, address: str, count: int, patience: float, say: Callable[[str], None]):
        self.address, self.count, self.patience, self.say = address, count, patience, say
        host, _, port = address.rpartition(':')
        self.host, self.port = host.strip('[]'), int(port)
        self.begun = self.said = time.monotonic()

    @property
    def waited(self) -> float:
        return time.monotonic() - self.begun

    def due(self) -> bool:
        """Whether another line about those that are missing is due."""
        if time.monotonic() - self.said < REMINDER:
            return False
        self.said = time.monotonic()
        return True

    def give_up(self, what: str) -> NoReturn:
        raise UserError(
            f'{what} after {self.waited:.0f} s; valid: the same command on all {self.count} hosts, port {self.port} open '
            'between them, or more time: --join_seconds=N'
        )

    def held(self) -> tuple[dict[int, str], dict[int, Line]]:
        """By host 0."""
        names, lines = {0: socket.gethostname()}, dict[int, Line]()
        try:
            server = _server(self.port)
        except OSError as error:
            raise UserError(
                f'port {self.port} of this host cannot be used: {error.strerror}; valid: one run at a time'
            ) from error
        with server:
            server.settimeout(0.5)
            while len(names) < self.count:
                missing = self.missing(names)
                if self.waited > self.patience:
                    for line in lines.values():
                        line.send(refused=missing)
                    self.give_up(missing)
                if self.due():
                    self.say(missing)
                    for line in lines.values():
                        line.send(missing=missing)
                with contextlib.suppress(TimeoutError):
                    connection, _ = server.accept()
                    self.admit(connection, names, lines)
        for line in lines.values():
            line.send(all=list(names.items()))
        return names, lines

    def missing(self, names: Mapping[int, str]) -> str:
        """How many have come, and which have not."""
        here = ', '.join(f'{number} ({name})' for number, name in sorted(names.items()))
        missing = ', '.join(str(number) for number in range(self.count) if number not in names)
        return f'{len(names)} of {self.count} hosts have come: {here}; missing: {missing}'

    def admit(self, connection: socket.socket, names: dict[int, str], lines: dict[int, Line]) -> None:
        """Takes down a host that says who it is; whatever else knocks at a port is sent away."""
        connection.settimeout(5)
        try:
            hello = json.loads(connection.makefile('r', encoding='utf-8').readline())
            number, count, name = int(hello['host']), int(hello['of']), str(hello['name'])
        except (OSError, ValueError, KeyError, TypeError):
            connection.close()
            return
        line = Line(connection)
        refused = ''
        if count != self.count or not 0 < number < count:
            refused = f'host {number} of {count} ({name}) came to host 0 of {self.count} ({names[0]})'
        elif number in lines and lines[number].is_open():
            refused = f'both {names[number]} and {name} say that they are host {number}'
        if refused:
            for one in (line, *lines.values()):
                one.send(refused=refused)
            raise UserError(f'{refused}; valid: every host once, and the same number of hosts on all')
        names[number], lines[number] = name, line

    def followed(self, number: int) -> tuple[dict[int, str], dict[int, Line]]:
        """By every other host: again and again, until host 0 is there and answers."""
        while self.waited < self.patience:
            with contextlib.suppress(OSError):
                line = Line(socket.create_connection((self.host, self.port), timeout=5))
                line.send(host=number, of=self.count, name=socket.gethostname())
                for message in line.messages():
                    if 'missing' in message:
                        self.say(message['missing'])
                    if 'refused' in message:
                        raise UserError(message['refused'])
                    if 'all' in message:
                        return dict(message['all']), {0: line}
                line.close()  # an earlier run's host 0, or it was started again
            if self.due():
                self.say(f'host {number} waits for host 0 at {self.address}')
            time.sleep(0.5)
        self.give_up(f'host {number} found no host 0 at {self.address}')


def _server(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(('', port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(('', port))


def end_process(line: str, code: int) -> NoReturn:
    """From any thread, whatever the others wait for."""
    os.write(2, f'{line}\n'.encode())
    os._exit(code)
