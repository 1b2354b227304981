"""As much of Celery as a bridge to its signals sees, for machines without it. Where there is Celery, that is used."""

from types import SimpleNamespace
from uuid import uuid4

from . import signals


class _CurrentTask:
    request = None


current_task = _CurrentTask()


class Celery:
    """An app whose tasks are done by who sends them, at once, with the signals of both sides."""

    def __init__(self, name, broker):
        self.name = name

    def task(self, work):
        task = SimpleNamespace(name=f"{self.name}.{work.__name__}", request=SimpleNamespace(id=None, retries=0))

        def delay(*args):
            task.request.id = str(uuid4())
            headers = {"id": task.request.id, "task": task.name, "retries": 0}
            signals.before_task_publish.send(sender=task.name, body=(), headers=headers)
            signals.task_prerun.send(sender=task, task_id=task.request.id, task=task, args=args, kwargs={})
            current_task.request = task.request
            signals.task_success.send(sender=task, result=work(*args))

        task.delay = delay
        return task
