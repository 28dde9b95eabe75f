"""The checker finds each kind of fault in a history, and none in a good one."""

import copy
import unittest

from check import check
from model import answer_to

WORDS = answer_to("m1")


def history():
    """One message, its answer read from the start, and read again from the middle."""
    user = {"id": "u1", "type": "user_message", "text": "[t1/m1]"}
    whole = "".join(WORDS)
    answer = {"id": "a1", "type": "assistant_message", "text": whole}
    made = [{"at": 0.0, "what": "says", "thread": "t1", "message": "m1", "person": "ada"},
            {"at": 0.0, "what": "opens", "reader": "r1"}, {"at": 0.4, "what": "opens", "reader": "r2"}]

    def read(reader, position, event, at, **more):
        entry = {"at": at, "what": "read", "reader": reader, "thread": "t1", "run": "run_1", "position": position,
                 "type": event, "item": None, "kind": None, "delta": None, "text": None}
        made.append({**entry, **more})

    read("r1", 1, "thread.created", 0.1)
    read("r1", 2, "thread.item.done", 0.2, item="u1", kind="user_message", text="[t1/m1]")
    read("r1", 3, "thread.item.added", 0.3, item="a1", kind="assistant_message")
    position = 3
    for word in WORDS:
        position += len(word.encode())
        read("r1", position, "thread.item.updated", 0.4, item="a1", delta=word)
    read("r1", position + 1, "thread.item.done", 0.5, item="a1", kind="assistant_message", text=whole)
    made.append({"at": 0.6, "what": "ended", "reader": "r1", "thread": "t1", "last": "thread.item.done",
                 "kind": "assistant_message"})
    after = 3 + len(WORDS[0].encode())
    made.append({"at": 0.4, "what": "resumes", "reader": "r2", "after": f"run_1:{after}"})
    rest = "".join(WORDS[1:])
    read("r2", position, "thread.item.updated", 0.5, item="a1", delta=rest)
    made.append({"at": 1.0, "what": "loaded", "thread": "t1", "items": [user, answer], "queued": [],
                 "run": None, "interrupted": None})
    made.append({"what": "call", "thread": "t1", "message": "m1", "from": 0.2, "to": 0.5})
    return made


class Faults(unittest.TestCase):
    def setUp(self):
        self.history = history()

    def one(self, what, **fields):
        return next(entry for entry in self.history
                    if entry["what"] == what and all(entry.get(name) == value for name, value in fields.items()))

    def finds(self, text):
        faults = list(check(self.history))
        self.assertTrue(any(text in fault for fault in faults), faults)

    def test_a_good_history_has_none(self):
        self.assertEqual(list(check(self.history)), [])

    def test_a_lost_message(self):
        del self.one("loaded")["items"][0]
        self.finds("acknowledged and is there 0 times")

    def test_a_doubled_message(self):
        items = self.one("loaded")["items"]
        items.append(copy.copy(items[0]))
        self.finds("acknowledged and is there 2 times")

    def test_messages_in_the_wrong_order(self):
        self.history.insert(0, {"at": 3.0, "what": "says", "thread": "t1", "message": "m2", "person": "ada"})
        done = {**self.one("read", item="u1"), "reader": "r3", "run": "run_2", "item": "u2", "text": "[t1/m2]", "at": 3.1}
        self.history.append(done)
        self.one("loaded")["items"].insert(0, {"id": "u2", "type": "user_message", "text": "[t1/m2]"})
        self.finds("stands behind it")

    def test_an_event_that_comes_twice(self):
        delta = self.one("read", delta=WORDS[1])
        self.history.insert(self.history.index(delta), copy.copy(delta))
        self.finds("expected it at")

    def test_an_event_that_is_left_out(self):
        self.history.remove(self.one("read", delta=WORDS[1]))
        self.finds("expected it at")

    def test_a_progress_line_that_went_before_anybody_read_it(self):
        first = {**self.one("read", reader="r1", position=2), "reader": "r3", "run": "run_2", "item": "n1", "kind": "note"}
        self.history += [first, {**first, "type": "stream_options", "position": 4},
                         {**first, "type": "thread.updated", "position": 5},
                         {"at": 0.9, "what": "ended", "reader": "r3", "thread": "t1", "last": "notice", "kind": None}]
        self.assertEqual(list(check(self.history)), [])
        self.one("read", type="thread.updated")["type"] = "notice"
        self.finds("r3 read stream_options at 4 of run_2 and expected it at 3")

    def test_a_resume_that_begins_too_early(self):
        self.one("read", reader="r2")["delta"] = "".join(WORDS)
        self.finds("r2 read thread.item.updated")

    def test_text_that_nobody_stored(self):
        self.one("read", delta=WORDS[1])["delta"] = "x" * len(WORDS[1].encode())
        self.finds("r1 read")

    def test_two_runs_at_once(self):
        self.history.append({"what": "call", "thread": "t1", "message": "m2", "from": 0.3, "to": 4.0})
        self.history.append({"what": "call", "thread": "t1", "message": "m3", "from": 0.6, "to": 0.7})
        self.finds("was answered until")

    def test_a_node_that_stands_still_is_asked_for_in_vain_and_no_other(self):
        self.history += [{"at": 0.7, "what": "harm", "kind": "pause", "node": "n1"},
                         {"what": "call", "thread": "t1", "message": "m2", "from": 0.6, "to": 9.0, "node": "n1"},
                         {"what": "call", "thread": "t1", "message": "m3", "from": 6.7, "to": 7.0, "node": "n2"}]
        self.assertEqual(list(check(self.history)), [])
        self.history[-2]["node"] = "n3"
        self.finds("m2 was answered until")
        self.history[-2].update({"node": "n1", "from": 1.0})
        self.finds("m2 was answered until")

    def test_somebody_elses_thread(self):
        self.history.append({"at": 1.0, "what": "intrudes", "kind": "threads.resume", "status": 200})
        self.finds("somebody else's thread")

    def test_an_end_without_a_word(self):
        self.one("ended")["last"] = "thread.item.updated"
        self.finds("no word")

    def test_a_silent_end_where_everybody_broke_off(self):
        self.history = [entry for entry in self.history
                        if entry.get("reader") == "r1" and entry.get("position", 1) <= 6 and entry["what"] != "ended"]
        at = max(entry["position"] for entry in self.history if entry["what"] == "read")
        self.history += [{"at": 0.7, "what": "resumes", "reader": "r3", "after": f"run_1:{at}"},
                         {"at": 0.8, "what": "ended", "reader": "r3", "thread": "t1", "last": None, "kind": None}]
        self.finds("ended with None and no word")

    def test_an_answer_to_another_question(self):
        self.one("loaded")["items"][1]["text"] = "m9: 0ü"
        self.finds("answers m1")

    def test_a_deleted_thread_that_comes_back(self):
        self.history.append({"at": 2.0, "what": "deletes", "thread": "t1"})
        self.history.append({"at": 3.0, "what": "gone", "thread": "t1", "status": 404, "sure": True})
        self.assertEqual(list(check(self.history)), [])
        self.history[-1]["status"] = 200
        self.finds("was deleted and answers 200")

    def test_a_retry_may_take_messages_along_and_doubles_none(self):
        self.history.append({"at": 0.9, "what": "retries", "thread": "t1"})
        items = self.one("loaded")["items"]
        user = items.pop(0)
        self.assertEqual(list(check(self.history)), [])
        items += [user, user]
        self.finds("is there 2 times")

    def is_killed(self, *kills):
        """Nobody heard the end of the answer, and nothing of it is stored."""
        self.history = [entry for entry in self.history
                        if entry["what"] != "ended" and entry.get("text") != "".join(WORDS)
                        and entry.get("reader") != "r2"]
        self.history += [{"at": at, "what": "harm", "kind": "SIGKILL"} for at in kills]
        self.history.append({**self.one("loaded"), "items": self.one("loaded")["items"][:1]})

    def test_more_than_a_checkpoint_lost(self):
        self.is_killed(9.0)
        self.finds("before the kill")

    def test_text_that_is_gone_although_its_end_was_told(self):
        self.is_killed()
        self.history.append({"at": 0.6, "what": "ended", "reader": "r1", "thread": "t1", "last": "notice", "kind": None})
        self.finds("are not stored")

    def test_a_node_that_is_killed_takes_along_a_little_of_its_own_answers_and_nothing_of_others(self):
        self.is_killed()
        self.one("call")["node"] = "n1"
        self.history[-1]["items"] = [*self.history[-1]["items"], {"id": "a1", "type": "assistant_message", "text": WORDS[0]}]
        self.history += [{"at": 0.5, "what": "harm", "kind": "SIGKILL", "node": "n1"},
                         {"at": 0.6, "what": "ended", "reader": "r1", "thread": "t1", "last": "notice", "kind": None}]
        self.assertEqual(list(check(self.history)), [])
        self.history[-2]["node"] = "n2"
        self.finds("are not stored")

    def test_what_was_under_way_at_a_kill_is_counted_to_that_kill(self):
        self.is_killed(0.39, 9.0)
        self.assertEqual(list(check(self.history)), [])


if __name__ == "__main__":
    unittest.main()
