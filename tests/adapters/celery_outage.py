"""What comes of lines that nobody takes for a while, to standard output: those that are read then, and what was told of others."""

import itertools
import json
import logging
import os
import sys
import time

import celery_ndjson

LINES = 6


class Told(logging.Handler):
    texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


logging.getLogger("celery_ndjson").addHandler(Told())
reading, writing = os.pipe()
celery_ndjson.tell(os.fdopen(writing, "wb", buffering=0))
celery_ndjson._MAX_WAITING = LINES

# There is room for no line, and the first is on its way.
os.set_blocking(writing, False)
try:
    while True:
        os.write(writing, b"\n" * 4_096)
except BlockingIOError:
    os.set_blocking(writing, True)
celery_ndjson._say("busy", "progress", completed=0)
while not celery_ndjson._waiting._is_writing:
    time.sleep(0.01)

for i in range(1, 100):
    celery_ndjson._say("busy", "progress", completed=i)
for i in range(4):
    celery_ndjson._say(f"task-{i}", "created")
for i in range(4):
    celery_ndjson._say(f"task-{i}", "completed" if i % 2 == 0 else "failed")
said = 108

# Somebody reads again.
text = b""
while text.count(b'"task-3"') < 2:
    text += os.read(reading, 65_536)
celery_ndjson.flush()
read = [json.loads(line) for line in text.decode().splitlines() if line]

# And nobody does any more.
for i in range(100):
    celery_ndjson._say("last", "progress", current="x" * 4_000)
said += 100
celery_ndjson.flush(0.1)
celery_ndjson._waiting.left()
os.set_blocking(reading, False)
rest = os.read(reading, 1_000_000)

words = ["".join(word) for n in (1, 2, 3, 4) for word in itertools.product("a-_.2eé", repeat=n)]
words += ["x" * 200 + word for word in words[:50]]
ids = {celery_ndjson.task_id_of(word) for word in words}
json.dump(
    {
        "others": [[one["task_id"], one["kind"]] for one in read if one["kind"] != "progress"],
        "progress": [one["completed"] for one in read if one["kind"] == "progress"],
        "told": Told.texts,
        "said": said,
        "read": len(read) + rest.count(b"\n"),
        "shared_ids": len(words) - len(ids),
        "odd_ids": [one for one in ids if celery_ndjson._ODD.search(one) or len(one) > 128],
    },
    sys.stdout,
)
