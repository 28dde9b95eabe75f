"""An MCP server over standard input and output, with one tool that a person is asked about before it runs."""

import json
import sys

TOOL = {
    "name": "erase",
    "description": "Erases everything.",
    "inputSchema": {"type": "object", "properties": {}},
    "annotations": {"destructiveHint": True},
}


def answer(method, params):
    match method:
        case "initialize":
            version = params["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "erase", "version": "1"}}
        case "tools/list":
            return {"tools": [TOOL]}
        case "tools/call":
            return {"content": [{"type": "text", "text": "erased"}]}
    return {}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        result = answer(request["method"], request.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
