"""Signals that call who connected, as Celery's do."""


class Signal:
    def __init__(self):
        self._receivers = []

    def connect(self, *receivers, weak=True):
        if not receivers:
            return lambda receiver: self.connect(receiver, weak=weak)
        self._receivers.extend(receivers)
        return receivers[0]

    def send(self, sender, **said):
        return [(receiver, receiver(sender=sender, **said)) for receiver in self._receivers]


before_task_publish = Signal()
task_prerun = Signal()
task_retry = Signal()
task_success = Signal()
task_failure = Signal()
task_revoked = Signal()
task_postrun = Signal()
worker_process_shutdown = Signal()
