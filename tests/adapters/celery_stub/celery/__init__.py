"""As much of Celery as a bridge to its signals sees, for machines without it. Where there is Celery, that is used."""

from . import signals  # noqa: F401


class _CurrentTask:
    request = None


current_task = _CurrentTask()
