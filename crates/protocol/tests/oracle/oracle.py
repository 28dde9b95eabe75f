"""Asks the official ChatKit types what is on the wire.

    oracle.py generate   writes one JSON line {"kind", "name", "value"} for each instance that can be
                         made of the official types: every class with its required fields only, with
                         all fields, and with every alternative of every field in turn
    oracle.py check      reads such lines, lets the official types read each value and write it back,
                         and writes {"name", "value"} or {"name", "error"}

Needs the package openai-chatkit.
"""

import datetime
import json
import sys
import types
import typing
import warnings

warnings.simplefilter("ignore")

import pydantic  # noqa: E402
from pydantic import AnyUrl, BaseModel, TypeAdapter  # noqa: E402
from pydantic_core import PydanticSerializationError  # noqa: E402
from typing_extensions import NotRequired, Required, is_typeddict  # noqa: E402

from chatkit import types as chatkit  # noqa: E402
from chatkit import widgets  # noqa: E402

KINDS = {
    "request": chatkit.ChatKitReq,
    "event": chatkit.ThreadStreamEvent,
    "update": chatkit.ThreadItemUpdate,
    "item": chatkit.ThreadItem,
    "thread": chatkit.Thread,
    "task": chatkit.Task,
    "workflow": chatkit.Workflow,
    "source": chatkit.Source,
    "attachment": chatkit.Attachment,
    "widget": widgets.WidgetComponent,
    "root": widgets.WidgetRoot,
    "transcription": chatkit.TranscriptionResult,
    "sync_action": chatkit.SyncCustomActionResponse,
}
# Without this the fields of some classes still refer to others by name only.
for module in (chatkit, widgets):
    for found in list(vars(module).values()):
        if isinstance(found, type) and issubclass(found, BaseModel) and found is not BaseModel:
            found.model_rebuild(force=True)
ADAPTERS = {kind: TypeAdapter(annotation) for kind, annotation in KINDS.items()}

# What a field of that name holds, where a string is not just a string.
STRINGS = {
    "id": "msg_8a1f09c2",
    "thread_id": "thr_5b7c11d0",
    "item_id": "msg_8a1f09c2",
    "attachment_id": "atc_77e0a1b2",
    "attachments": "atc_77e0a1b2",
    "item_ids": "msg_8a1f09c2",
    "after": "msg_00000001",
    "title": "Trip to Lisbon 🧳",
    "name": "itinerary",
    "mime_type": "application/pdf",
    "text": "Three days, two people — “by train”.\nLine two.",
    "delta": " and\ttabs \"quotes\" \\ 日本語",
    "url": "https://example.com/a?b=c#d",
    "audio_base64": "T2dnUwACAAAAAAAAAAA=",
}

# The only widget below a widget, so that trees end.
LEAF = {"type": "Text", "value": "leaf"}


def dump(kind, instance):
    """Writes as ChatKitServer does."""
    return ADAPTERS[kind].dump_python(
        instance,
        mode="json",
        by_alias=True,
        exclude_none=True,
        context={"exclude_metadata": True},
    )


def alternatives(annotation, name, depth):
    """The values to try for a field; the first one is the plainest."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if annotation is widgets.WidgetComponent or annotation is widgets.StrictWidgetComponent:
        return [LEAF]
    if annotation is widgets.WidgetRoot:
        return [{"type": "Card", "children": [LEAF]}, {"type": "Basic", "children": [LEAF]}]
    if annotation is widgets.DynamicWidgetComponent:
        return [LEAF]
    if origin is typing.Annotated:
        for extra in arguments[1:]:
            pattern = getattr(extra, "pattern", None)
            if pattern:
                return [pattern.lstrip("^") + "rocket"]
        return alternatives(arguments[0], name, depth)
    if origin in (typing.Union, types.UnionType):
        return [v for a in arguments if a is not type(None) for v in alternatives(a, name, depth)]
    if origin is typing.Literal:
        return list(arguments)
    if origin in (NotRequired, Required):
        return alternatives(arguments[0], name, depth)
    if origin is list:
        inner = alternatives(arguments[0], name, depth + 1)
        return [inner[:3], [], *[[value] for value in inner[3:]]]
    if origin is dict:
        if name == "metadata" or arguments[1] is typing.Any:
            return [{"a": 1, "b": [True, None, 1.5, "x"], "c": {"d": {}}}, {}]
        inner = alternatives(arguments[1], name, depth + 1)
        return [{f"key-{index}": value for index, value in enumerate(inner)}, {}]
    if annotation is typing.Any:
        return [{"any": [1, "two", False]}, "text", 7, 2.5, [], True]
    if annotation is str or isinstance(annotation, typing.TypeVar):
        return [STRINGS.get(name, f"some {name}")]
    if annotation is bool:
        return [True, False]
    if annotation is int:
        return [3]
    if annotation is float:
        return [1.5]
    if annotation is AnyUrl:
        return [STRINGS["url"]]
    if annotation is datetime.datetime:
        return ["2026-01-23T16:15:25.515839Z"]
    if is_typeddict(annotation):
        return instances(typing.get_type_hints(annotation, include_extras=True),
                         annotation.__required_keys__, depth)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(models(annotation, depth + 1))
    if isinstance(annotation, type) and issubclass(annotation, str):
        return [member.value for member in annotation]
    raise TypeError(f"{name}: {annotation}")


def instances(fields, required, depth):
    """Objects: required fields only; all fields; and, near the top, every alternative in turn."""
    values = {}
    for name, annotation in fields.items():
        values[name] = alternatives(annotation, name, depth)
    plain = {name: found[0] for name, found in values.items()}
    made = [plain, {name: value for name, value in plain.items() if name in required}]
    if depth <= 2:
        for name, found in values.items():
            made.extend({**plain, name: value} for value in found[1:])
    return made


def models(model, depth):
    if model is widgets.DynamicWidgetRoot:
        return [{"type": "ListView", "children": [{"type": "Novel"}], "novel": {"a": [1, "b"]}}]
    if model is widgets.DynamicWidgetComponent:
        return [{"type": "Novel", "key": "k", "children": {"type": "Text", "novel": 1.5}}]
    if model is widgets.BasicRoot:
        return [{"type": "Basic", "children": [LEAF]}]
    fields = {name: field.annotation for name, field in model.model_fields.items()}
    for name, field in model.model_fields.items():
        for extra in field.metadata:
            if getattr(extra, "pattern", None):
                fields[name] = typing.Annotated[fields[name], extra]
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    return instances(fields, required | ({"type"} & fields.keys()), depth)


def members(annotation):
    """The classes of a union."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [m for argument in typing.get_args(annotation) for m in members(argument)]
    return [annotation]


def generate():
    for kind, annotation in KINDS.items():
        for model in members(annotation):
            for index, value in enumerate(models(model, 0)):
                name = f"{model.__name__}-{index}"
                written = dump(kind, ADAPTERS[kind].validate_python(value))
                print(json.dumps({"kind": kind, "name": name, "value": written}))


def check():
    for line in sys.stdin:
        case = json.loads(line)
        try:
            instance = ADAPTERS[case["kind"]].validate_json(json.dumps(case["value"]))
            answer = {"name": case["name"], "value": dump(case["kind"], instance)}
        # An action without a type is read but cannot be written.
        except (pydantic.ValidationError, PydanticSerializationError) as error:
            answer = {"name": case["name"], "error": str(error)}
        print(json.dumps(answer))


if __name__ == "__main__":
    {"generate": generate, "check": check}[sys.argv[1]]()
