"""Fills .widget templates as the official package does: a line of JSON in, a line of JSON out."""

import json
import sys

from chatkit.widgets import WidgetTemplate

for line in sys.stdin:
    case = json.loads(line)
    widget = WidgetTemplate(case["file"]).build(case["data"])
    print(json.dumps(widget.model_dump(mode="json", exclude_none=True)))
