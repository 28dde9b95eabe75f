"""Loads of those who read what somebody else's request began: further readers, many at once, and slow ones."""

import json
import socket
import subprocess
import threading
import time

from driver.loads import Row, Subject, finish, measure, together
from driver.servers import create_thread


class Answer:
    """A stream that this process began and keeps open. It is read as far as the thread's id, and from there on at so
    many bytes a second, or not at all. Where it `comes_back`, the answer goes on when it is closed."""

    def __init__(self, subject: Subject, model: str, bytes_a_second: int = 0, comes_back: bool = False):
        body = create_thread(model).encode()
        head = f"POST {subject.server.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        head += f"authorization: Bearer {subject.bearer}\r\ncontent-type: application/json\r\n"
        if comes_back:
            head += "vestibule-client: resume\r\n"
        self.socket = socket.socket()
        # The kernel's buffers would hold what a slow reader has not read.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", subject.place.port))
        self.socket.sendall(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        said = b""
        while b'"thread.created"' not in said or b"\n\n" not in said.partition(b'"thread.created"')[2]:
            piece = self.socket.recv(512)
            if not piece:
                raise RuntimeError(f"no thread was made: {said.decode(errors='replace')}")
            said += piece
        line = next(line for line in said.decode().splitlines() if '"thread.created"' in line)
        self.thread = json.loads(line.removeprefix("data: "))["thread"]["id"]
        self.rate, self.is_open = bytes_a_second, True
        if bytes_a_second:
            threading.Thread(target=self.dawdle, daemon=True).start()

    def dawdle(self):
        while self.is_open:
            try:
                if not self.socket.recv(self.rate):
                    return
            except OSError:
                return
            time.sleep(1)

    def resume(self) -> str:
        """The body of a request that reads the same answer from its start."""
        return json.dumps({"type": "threads.resume", "params": {"thread_id": self.thread}})

    def close(self):
        self.is_open = False
        self.socket.close()


def further_readers(readers: int, tokens: int = 200):
    """Memory of further readers of one answer, who have read what there is of it and wait for more."""

    def scenario(subject: Subject) -> Row:
        answer = Answer(subject, f"fake-{tokens}-1000-{tokens - 1}")
        time.sleep(1)  # until it says nothing more
        before = subject.process.pss_kib()
        load = ("hold", "--body", answer.resume(), "--format", subject.server.format, "--tokens", tokens - 1)
        command = subject.load(*load, "--streams", readers, "--ramp", 250)
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        row = json.loads(child.stdout.readline())
        row["kib_per_reader"] = (subject.process.pss_kib() - before) / readers
        row["upstream_open"] = subject.open_upstream()
        row["whole"] = row["upstream_open"] == 1 and row["completed"] == readers
        child.stdin.close()
        last, _ = finish(child)
        row |= json.loads(last)
        answer.close()
        return row

    return scenario


def storm(readers: int, tokens: int = 200):
    """So many readers of one answer at once, some of it said and some not: each reads every token once and in order.
    Beside it the memory before, and twelve seconds after."""

    def scenario(subject: Subject) -> Row:
        row = {}
        # Twice, and the second time counts: what the first one leaves behind is what a server that has worked has.
        for _ in range(2):
            answer = Answer(subject, f"fake-{tokens}-50000", 1 << 20)
            time.sleep(2)
            before = subject.process.pss_kib()
            load = ("stream", "--body", answer.resume(), "--format", subject.server.format, "--tokens", tokens)
            load = (*load, "--concurrency", readers, "--streams", readers, "--seconds", 1, "--grace", 60)
            row = measure(subject, subject.load(*load))
            answer.close()
            time.sleep(12)  # the allocator gives back what was not used for ten seconds
            row["pss_before_kib"], row["pss_after_kib"] = before, subject.process.pss_kib()
            row["whole"] = row["completed"] == readers
            row["upstream_open"] = row["completed"]
        row["memory_left"] = row["pss_after_kib"] / row["pss_before_kib"]
        return row

    return scenario


def neighbours(seconds: float = 8, slow: int = 20, stalled: int = 20):
    """20 streams at 50 tokens a second: alone, and beside readers of 1 KB a second and models that say nothing more."""

    def scenario(subject: Subject) -> Row:
        count = int(20 * seconds / 4)
        load = ("--concurrency", 20, "--streams", count, "--ramp", 40, "--seconds", 60)
        paced = subject.stream("stream", "fake-200-20000", 200, *load)
        measure(subject, paced)  # warms up
        row = {"before": measure(subject, paced)}
        answers = [Answer(subject, "fake-20000-500", 1024) for _ in range(slow)]
        answers += [Answer(subject, "fake-200-1000-100") for _ in range(stalled)]
        time.sleep(12)  # until the fast models have said everything, and only their readers are slow
        row["during"] = measure(subject, paced)
        for answer in answers:
            answer.close()
        return row | together(row.values())

    return scenario

