"""What must hold of a history, whatever happened while it was made. Each fault is a sentence."""

from collections import defaultdict

from model import answer_to

# How long a model may be asked twice in one thread, after a kill: until it sees that its connection is gone.
LAG = 1.0
# A process may ask once more between the note that it is stopped and the stop.
STOP = 0.1
# What a killed process may take along of an answer.
LOSS_SECONDS, LOSS_BYTES = 1.6, 4096
LAST_WORDS = ("error", "notice")


def check(history):
    """The faults of a history."""
    faults = []
    faults += lost_messages(history)
    faults += broken_readers(history)
    faults += overlapping_runs(history)
    faults += intruders(history)
    faults += silent_ends(history)
    faults += lost_text(history)
    faults += undead(history)
    return faults


def entries(history, *kinds):
    return [entry for entry in history if entry["what"] in kinds]


def final(history):
    """The last load of each thread that nobody deleted."""
    deleted = {entry["thread"] for entry in entries(history, "deletes")}
    return {entry["thread"]: entry for entry in entries(history, "loaded") if entry["thread"] not in deleted}


def acknowledged(history):
    """Messages whose item was told as done: thread and text, and when it was sent and acknowledged."""
    sent = {f"[{entry['thread']}/{entry['message']}]": entry["at"] for entry in entries(history, "says")}
    found = {}
    for entry in entries(history, "read"):
        if entry["type"] == "thread.item.done" and entry["kind"] == "user_message":
            found.setdefault(entry["text"], (entry["thread"], sent.get(entry["text"]), entry["at"]))
    return found


def lost_messages(history):
    """Every acknowledged message is there once, and in the order in which they were acknowledged.

    Asking for an answer anew takes along what came after its question, so of such a thread nothing is there twice.
    """
    deleted = {entry["thread"] for entry in entries(history, "deletes")}
    retried = {entry["thread"] for entry in entries(history, "retries")}
    places = {}
    for thread, loaded in final(history).items():
        texts = [item["text"] for item in loaded["items"] if item["type"] == "user_message"]
        texts += [item["text"] for item in loaded["queued"]]
        places[thread] = texts
    by_thread = defaultdict(list)
    for text, (thread, sent, done) in acknowledged(history).items():
        if thread in deleted:
            continue
        count = places.get(thread, []).count(text)
        if count == 0 and thread in retried:
            continue
        if count != 1:
            yield f"{text} was acknowledged and is there {count} times"
        else:
            by_thread[thread].append((sent, done, places[thread].index(text), text))
    for messages in by_thread.values():
        for sent, _, place, text in messages:
            for _, done, earlier, other in messages:
                if sent is not None and done < sent and earlier > place:
                    yield f"{other} was acknowledged before {text} was sent, and stands behind it"


def span(entry):
    return len(entry["delta"].encode()) if entry["delta"] is not None else 1


PASSING = ("progress_update", "thread.updated")
# After these, what was said before may be left out.
REPLACING = ("thread.item.done", "thread.item.removed", "thread.item.replaced", *PASSING)


def broken_readers(history):
    """Each reader saw each event once and in order, and text that is a part of what is stored."""
    stored = {item["id"]: item["text"] for loaded in final(history).values() for item in loaded["items"]}
    starts = {entry["reader"]: entry["after"] for entry in entries(history, "resumes")}
    at, texts = {}, {}
    # A progress line is left out once there is a later one or an item, a title once there is a later one: also where
    # nobody read it before that, and where everybody broke off before the later one came.
    read = {(entry["run"], entry["position"]): entry["type"] for entry in entries(history, "read")}
    ended = {entry["reader"] for entry in entries(history, "ended")}
    heard_out = {entry["run"] for entry in entries(history, "read") if entry["reader"] in ended}
    replaced = {}
    for (run, position), kind in read.items():
        if kind in REPLACING:
            replaced[run] = max(replaced.get(run, 0), position)

    def is_left_out(run, place, entry):
        kind = read.get((run, place))
        is_replaced = place < replaced.get(run, 0) or run not in heard_out
        return kind in PASSING or (kind is None and is_replaced and entry["delta"] is None)

    for entry in entries(history, "read"):
        reader, run, position = entry["reader"], entry["run"], entry["position"]
        if run is not None:
            before = at.get((reader, run))
            if before is None:
                after = starts.get(reader)
                before = int(after.rpartition(":")[2]) if after and after.startswith(f"{run}:") else None
            if before is not None:
                due = before + span(entry)
                gap = range(before + 1, before + 1 + position - due)
                is_excused = entry["type"] in REPLACING or all(is_left_out(run, place, entry) for place in gap)
                if position < due or (position > due and not is_excused):
                    yield f"{reader} read {entry['type']} at {position} of {run} and expected it at {due}"
            at[(reader, run)] = position
        item = entry["item"]
        if entry["type"] == "thread.item.added":
            texts[(reader, item)] = ""
        elif entry["delta"] is not None and (reader, item) in texts:
            texts[(reader, item)] += entry["delta"]
            # Of an answer that was cut off by a kill a little is lost, see `lost_text`.
            heard, kept = texts[(reader, item)], stored.get(item, "")
            if not kept.startswith(heard) and not heard.startswith(kept):
                yield f"{reader} read {brief(heard)} of {item}, and {brief(kept)} is stored"
        elif entry["type"] == "thread.item.done" and entry["kind"] == "assistant_message":
            if not entry["text"].startswith(texts.get((reader, item), "")):
                yield f"{reader} read {brief(texts[(reader, item)])} of {item}, and was told {brief(entry['text'])}"
            if item in stored and stored[item] != entry["text"]:
                yield f"{reader} was told {brief(entry['text'])} of {item}, and {brief(stored[item])} is stored"


def brief(text):
    """The two ends of a text."""
    return repr(text if len(text) < 60 else f"{text[:25]} … {text[-25:]}")


def overlapping_runs(history):
    """The model was asked for one answer at a time in each thread."""
    calls = defaultdict(list)
    for call in entries(history, "call"):
        calls[call["thread"]].append(call)
    pauses = [(entry["at"], entry.get("node")) for entry in entries(history, "harm") if entry["kind"] == "pause"]
    for thread, calls in calls.items():
        calls.sort(key=lambda call: call["from"])
        for one, other in zip(calls, calls[1:]):
            # A node that stands still does not notice that another one goes on in its place, and keeps its model waiting.
            stood = any(node == one.get("node") and one["from"] <= at + STOP and one["to"] and at <= one["to"]
                        and at <= other["from"] for at, node in pauses)
            if one["to"] is None or (one["to"] > other["from"] + LAG and not stood):
                yield f"in {thread}, {one['message']} was answered until {one['to']} and {other['message']} from {other['from']}"


def intruders(history):
    for entry in entries(history, "intrudes"):
        # A server that was started anew knows nobody yet.
        if entry["status"] not in (401, 404):
            yield f"somebody else's thread answered {entry['kind']} with {entry['status']}"


def undead(history):
    """A thread whose deletion was acknowledged stays away, whatever was going on in it."""
    for entry in entries(history, "gone"):
        if entry["sure"] and entry["status"] != 404:
            yield f"{entry['thread']} was deleted and answers {entry['status']}"


def silent_ends(history):
    """A stream that ended did so with an answer's end or in words; one that began at the end had nothing to say."""
    whole = {}
    for entry in entries(history, "read"):
        if entry["run"] not in whole or entry["position"] >= whole[entry["run"]]["position"]:
            whole[entry["run"]] = entry
    starts = {entry["reader"]: entry["after"] or "" for entry in entries(history, "resumes")}
    for entry in entries(history, "ended"):
        run, _, position = starts.get(entry["reader"], "").rpartition(":")
        last = whole.get(run)
        if entry["last"] is None and last and int(position) == last["position"] and is_end(last["type"], last["kind"]):
            continue
        if not is_end(entry["last"], entry["kind"]):
            yield f"the stream of {entry['reader']} ended with {entry['last']} and no word"


def is_end(event, kind):
    return event in LAST_WORDS or (event == "thread.item.done" and kind == "assistant_message")


def lost_text(history):
    """Of an answer that broke off, what was read a while before the kill is stored; of one that ended in words,
    everything that was read, if there was room for it. What is stored was said by the model.
    """
    # A node that stands still for long is taken to have ended, and is refused what it would save later.
    ends = [entry for entry in entries(history, "harm") if entry["kind"] in ("SIGKILL", "pause")]
    players = defaultdict(set)
    for call in entries(history, "call"):
        players[call["message"]].add(call.get("node"))
    stored = {item["id"]: item["text"] for loaded in final(history).values() for item in loaded["items"]
              if item["type"] == "assistant_message"}
    told = {entry["reader"]: entry["at"] for entry in entries(history, "ended")}
    had_room = not any(entry["kind"] == "full" for entry in entries(history, "harm"))
    opened = {entry["reader"]: entry["at"] for entry in entries(history, "opens")}
    retried = {entry["thread"] for entry in entries(history, "retries")}
    said, done, threads = defaultdict(list), set(), final(history)
    for entry in entries(history, "read"):
        # Of the others nothing needs to be left.
        if entry["thread"] not in threads or entry["thread"] in retried:
            continue
        if entry["delta"] is not None:
            said[entry["item"]].append(entry)
        if entry["type"] == "thread.item.done":
            done.add(entry["item"])
    for item, deltas in said.items():
        if item in done:
            continue
        reader = deltas[0]["reader"]
        mine = [entry for entry in deltas if entry["reader"] == reader]
        has = len(stored.get(item, "").encode())
        # One process alone spoke to this reader, or told another node what it said. What was under way when it was killed
        # is noted after the kill.
        nodes = players[stored.get(item, "").partition(":")[0]] or None
        last = told.get(reader)
        killed = next((end["at"] for end in ends if opened[reader] <= end["at"] and (last is None or end["at"] <= last)
                       and (nodes is None or end.get("node") in nodes)), None)
        if reader in told and killed is None:
            due = sum(len(entry["delta"].encode()) for entry in mine)
            if due > has and had_room:
                yield f"{reader} was told how {item} ended, and {due - has} bytes that it read are not stored"
            continue
        if killed is None:
            continue
        due = sum(len(entry["delta"].encode()) for entry in mine if entry["at"] < killed - LOSS_SECONDS)
        if due > has:
            yield f"{due} bytes of {item} were read {LOSS_SECONDS} s before the kill at {killed}, and {has} are stored"
    for loaded in final(history).values():
        question = None
        for item in loaded["items"]:
            if item["type"] == "user_message":
                question = item["text"].strip("[]").rpartition("/")[2]
            elif item["type"] == "assistant_message" and question:
                whole = "".join(answer_to(question))
                if not whole.startswith(item["text"]):
                    yield f"{item['id']} answers {question} and says {item['text'][:60]!r}"
