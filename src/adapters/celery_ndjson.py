"""Tells taskwire of Celery's tasks: a line of JSON for each thing that happens to one.

Put this file beside your tasks, import it where the app is made (in workers, and in what sends tasks), and read what it writes:

    import celery_ndjson
    celery_ndjson.tell()

    mkfifo /run/taskwire.fifo    # which TASKWIRE_NDJSON names to workers and senders
    deno task cli pipe --url http://127.0.0.1:8000 <> /run/taskwire.fifo    # with < it ends when nobody has it open to write

A task that knows how far it is says so:

    for done, row in enumerate(rows):
        celery_ndjson.progress(completed=done, total=len(rows), current=row.name)
"""

import atexit
import collections
import fcntl
import hashlib
import json
import logging
import os
import re
import threading
import time

from celery import current_task, signals

_ODD = re.compile(r"[^A-Za-z0-9_-]")
_RESULT_BYTES = 49152
_MESSAGE_CHARS = 4096
_ID_CHARS = 128
_MAX_WAITING = 10_000
# What is dropped is told at once, and then at most this often.
_TELL_SECONDS = 60
# Who goes first where there is no room: progress, then what is not the end of a task.
_PROGRESS, _CHANGE, _END = range(3)
_ENDS = {"completed", "failed", "cancelled"}

_log = logging.getLogger("celery_ndjson")
_stream = None
_waiting = None
_lock = threading.Lock()


def tell(stream=None):
    """Writes to this stream from now on; without one, to the file or FIFO that TASKWIRE_NDJSON names."""
    global _stream
    if stream is None:
        # A FIFO that is open both ways waits for no reader, now or when one goes and another comes.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        stream = os.fdopen(os.open(os.environ["TASKWIRE_NDJSON"], flags, 0o600), "wb", buffering=0)
    _stream = stream


def task_id_of(celery_id):
    """The task's id in taskwire, and no other's: Celery's, in which _ is written __, and each byte that an id has no room for as
    _ and two hexadecimal digits. Of what is longer than an id may be the end is _h and a digest of it."""
    parts = ["__" if c == "_" else _ODD.sub(_hex, c) for c in str(celery_id)]
    whole = "".join(parts)
    if len(whole) <= _ID_CHARS:
        return whole
    end = "_h" + hashlib.sha256(str(celery_id).encode("utf-8", "surrogatepass")).hexdigest()[:40]
    begin = ""
    for part in parts:
        if len(begin) + len(part) + len(end) > _ID_CHARS:
            break
        begin += part
    return begin + end


def _hex(odd):
    return "".join(f"_{byte:02x}" for byte in odd.group().encode("utf-8", "surrogatepass"))


def progress(**counters):
    """How far the task at work is: total, completed, failed, current, status, percentage."""
    request = getattr(current_task, "request", None)
    if request is not None and request.id is not None:
        _say(request.id, "progress", attempt=_attempt(request), **counters)


def _attempt(request):
    return int(getattr(request, "retries", 0) or 0) + 1


def _say(celery_id, kind, event_id=None, **body):
    """A line, written by a thread: work never waits, or fails, for want of somebody who reads it."""
    if _stream is None or celery_id is None:
        return
    said = {"task_id": task_id_of(celery_id), "kind": kind, "at": int(time.time() * 1000), **body}
    if event_id is not None:
        said["event_id"] = event_id
    line = json.dumps(said, ensure_ascii=False, default=str) + "\n"
    _lines().put(kind, line.encode("utf-8", "replace"))


class _Lines:
    """Lines that wait to be written, in order. Where there is no room the oldest progress goes, where none waits the oldest that
    is no end of a task, and then the oldest: told of by a warning."""

    def __init__(self, most=None):
        self._most = _MAX_WAITING if most is None else most
        self._changed = threading.Condition()
        self._lines = collections.OrderedDict()  # by their numbers, in whose order they are
        self._ranked = [collections.deque() for _ in (_PROGRESS, _CHANGE, _END)]  # the numbers of each rank
        self._count = 0
        self._dropped = collections.Counter()
        self._told_at = None
        self._is_writing = False

    def put(self, kind, line):
        rank = _PROGRESS if kind == "progress" else _END if kind in _ENDS else _CHANGE
        with self._changed:
            self._count += 1
            self._lines[self._count] = (kind, rank, line)
            self._ranked[rank].append(self._count)
            if len(self._lines) > self._most:
                lowest = next(numbers for numbers in self._ranked if numbers)
                self._dropped[self._lines.pop(lowest.popleft())[0]] += 1
            self._changed.notify_all()
        self._tell()

    def take(self):
        with self._changed:
            while not self._lines:
                self._changed.wait()
            _, (kind, rank, line) = self._lines.popitem(last=False)
            self._ranked[rank].popleft()  # of its rank it is the oldest
            self._is_writing = True
            return kind, line

    def taken(self, lost=None):
        """What was taken is written; or, of this kind, could not be."""
        with self._changed:
            self._is_writing = False
            if lost is not None:
                self._dropped[lost] += 1
            is_quiet = not self._lines
            self._changed.notify_all()
        self._tell(now=is_quiet and lost is None)

    def wait(self, seconds):
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._is_writing, seconds)

    def left(self):
        """What waits will not be written any more."""
        with self._changed:
            self._dropped.update(kind for kind, _, _ in self._lines.values())
            self._lines.clear()
            for numbers in self._ranked:
                numbers.clear()
        self._tell(now=True)

    def _tell(self, now=False):
        with self._changed:
            at = time.monotonic()
            is_due = now or self._told_at is None or at - self._told_at >= _TELL_SECONDS
            if not self._dropped or not is_due:
                return
            what = ", ".join(f"{count} {kind}" for kind, count in sorted(self._dropped.items()))
            total = sum(self._dropped.values())
            self._dropped.clear()
            self._told_at = at
        _log.warning("%d lines were dropped, which nobody took: %s", total, what)


def _lines():
    """The lines of this process that wait to be written."""
    global _waiting
    with _lock:
        if _waiting is None:
            _waiting = _Lines()
            threading.Thread(target=_write, args=(_waiting,), daemon=True).start()
        return _waiting


def _write(lines):
    while True:
        kind, line = lines.take()
        lost = kind
        try:
            fd = _stream.fileno()
            # Several processes write to the one stream, and only short writes are never mixed.
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                while line:
                    line = line[os.write(fd, line) :]
                lost = None
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
        except (OSError, ValueError):
            pass  # nobody takes it
        finally:
            lines.taken(lost)


def flush(seconds=5.0):
    """Waits until all that was said is written, but no longer than this."""
    if _waiting is not None:
        _waiting.wait(seconds)


def _forked():
    """A process that was forked has neither the thread nor its lines."""
    global _waiting, _lock
    _waiting, _lock = None, threading.Lock()


def _end():
    flush()
    if _waiting is not None:
        _waiting.left()


os.register_at_fork(after_in_child=_forked)
atexit.register(_end)


def _error(exception):
    return {"message": str(exception)[:_MESSAGE_CHARS] or type(exception).__name__, "code": type(exception).__name__[:128]}


def _result(value):
    """The result as JSON, if it is some and not too large."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)[:_MESSAGE_CHARS]
    return value if len(text.encode()) <= _RESULT_BYTES else None


@signals.worker_process_shutdown.connect(weak=False)
def _leaving(**_):
    flush()


@signals.before_task_publish.connect(weak=False)
def _created(sender=None, headers=None, **_):
    headers = headers or {}
    if int(headers.get("retries") or 0) > 0:
        return  # Celery sends a task anew for each retry.
    parent = headers.get("parent_id")
    about = {} if parent is None else {"parent_id": task_id_of(parent)}
    _say(headers.get("id"), "created", "created", name=str(sender)[:512], type="celery", **about)


@signals.task_prerun.connect(weak=False)
def _started(task_id=None, task=None, **_):
    attempt = _attempt(task.request)
    _say(task_id, "started", f"started-{attempt}", attempt=attempt)


@signals.task_retry.connect(weak=False)
def _retrying(request=None, reason=None, **_):
    attempt = _attempt(request) + 1
    _say(request.id, "retrying", f"retrying-{attempt}", attempt=attempt, error=_error(reason))


@signals.task_success.connect(weak=False)
def _completed(sender=None, result=None, **_):
    attempt = _attempt(sender.request)
    _say(sender.request.id, "completed", f"completed-{attempt}", attempt=attempt, result=_result(result))


@signals.task_failure.connect(weak=False)
def _failed(sender=None, task_id=None, exception=None, **_):
    attempt = _attempt(sender.request)
    _say(task_id, "failed", f"failed-{attempt}", attempt=attempt, error=_error(exception))


@signals.task_revoked.connect(weak=False)
def _cancelled(request=None, terminated=None, expired=None, **_):
    reason = "expired" if expired else "terminated" if terminated else "revoked"
    attempt = _attempt(request)
    _say(request.id, "cancelled", f"cancelled-{attempt}", attempt=attempt, reason=reason)


@signals.task_postrun.connect(weak=False)
def _rejected(task_id=None, task=None, retval=None, state=None, **_):
    # No signal says that a task is ignored for good: one that was replaced is too, and goes on under its id.
    if state != "REJECTED" or getattr(retval, "requeue", False):
        return
    attempt = _attempt(task.request)
    _say(task_id, "cancelled", f"cancelled-{attempt}", attempt=attempt, reason="rejected")
