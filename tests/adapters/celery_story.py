"""What Celery's signals say of four tasks, from the first to the last, to standard output."""

import sys
from types import SimpleNamespace

import celery_ndjson
from celery import signals

celery_ndjson.tell(sys.stdout)


class Task:
    name = "shop.bill"

    def __init__(self, task_id, retries=0):
        self.request = SimpleNamespace(id=task_id, retries=retries)


def publish(task_id, **headers):
    signals.before_task_publish.send(
        sender="shop.bill", body=(), headers={"id": task_id, "task": "shop.bill", "retries": 0, **headers}
    )


def prerun(task):
    signals.task_prerun.send(sender=task, task_id=task.request.id, task=task, args=(), kwargs={})


publish("paid", parent_id="shop/night")
paid = Task("paid")
prerun(paid)
celery_ndjson.current_task = paid
celery_ndjson.progress(completed=1, total=2, current="Überweisung\n2")
signals.task_success.send(sender=paid, result={"sum": 3})

publish("broke")
broke = Task("broke")
prerun(broke)
signals.task_retry.send(sender=broke, request=broke.request, reason=ConnectionError("bank is away"), einfo=None)
publish("broke", retries=1)
again = Task("broke", retries=1)
prerun(again)
signals.task_failure.send(
    sender=again, task_id="broke", exception=ValueError("no such account"), args=(), kwargs={}, traceback=None, einfo=None
)

publish("late")
signals.task_revoked.send(sender=Task("late"), request=Task("late").request, terminated=False, signum=None, expired=True)

for requeue in (True, False):
    turned = Task("turned")
    prerun(turned)
    signals.task_postrun.send(
        sender=turned, task_id="turned", task=turned, args=(), kwargs={}, retval=SimpleNamespace(requeue=requeue), state="REJECTED"
    )
signals.task_postrun.send(sender=paid, task_id="paid", task=paid, args=(), kwargs={}, retval=None, state="SUCCESS")
