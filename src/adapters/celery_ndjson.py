"""Tells taskwire of Celery's tasks: a line of JSON for each thing that happens to one.

Put this file beside your tasks, import it where the app is made (in workers, and in what sends tasks), and read what it writes:

    import celery_ndjson
    celery_ndjson.tell()

    mkfifo /run/taskwire.fifo    # which TASKWIRE_NDJSON names to workers and senders
    deno task cli pipe --url http://127.0.0.1:8000 < /run/taskwire.fifo

A task that knows how far it is says so:

    for done, row in enumerate(rows):
        celery_ndjson.progress(completed=done, total=len(rows), current=row.name)
"""

import atexit
import fcntl
import json
import os
import queue
import re
import threading
import time

from celery import current_task, signals

_ODD = re.compile(r"[^A-Za-z0-9_-]")
_RESULT_BYTES = 49152
_MESSAGE_CHARS = 4096
_MAX_WAITING = 10_000

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
    """The task's id in taskwire: Celery's, in which whatever taskwire has no room for is written as _ and its code."""
    return _ODD.sub(lambda odd: f"_{ord(odd.group()):x}", str(celery_id))[:128]


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
    try:
        _lines().put_nowait(line.encode("utf-8", "replace"))
    except queue.Full:
        pass


def _lines():
    """The lines of this process that wait to be written."""
    global _waiting
    with _lock:
        if _waiting is None:
            _waiting = queue.Queue(_MAX_WAITING)
            threading.Thread(target=_write, args=(_waiting,), daemon=True).start()
        return _waiting


def _write(lines):
    while True:
        line = lines.get()
        try:
            fd = _stream.fileno()
            # Several processes write to the one stream, and only short writes are never mixed.
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                while line:
                    line = line[os.write(fd, line) :]
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
        except (OSError, ValueError):
            pass  # nobody takes it
        finally:
            lines.task_done()


def flush(seconds=5.0):
    """Waits until all that was said is written, but no longer than this."""
    until = time.monotonic() + seconds
    while _waiting is not None and _waiting.unfinished_tasks > 0 and time.monotonic() < until:
        time.sleep(0.01)


def _forked():
    """A process that was forked has neither the thread nor its lines."""
    global _waiting, _lock
    _waiting, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forked)
atexit.register(flush)


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
