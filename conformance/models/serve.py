"""Serves models until its standard input ends: llama.cpp's server, and LiteLLM's proxy with `--litellm` before it.

Prints one line of JSON when all of them answer: their addresses by name. Files go into the folder of the first
argument.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import xllamacpp

import tiny

HERE = pathlib.Path(__file__).parent
KEY = "sk-test-0123456789"
# Seconds that LiteLLM has to end by itself: fewer than whoever started this waits.
GRACE = 3
# What LiteLLM answers by itself, by the name of a model.
MOCKS = {
    "mock": "Hello from 日本語 🙂!",
    "limited": "litellm.RateLimitError",
    "long": "litellm.ContextWindowExceededError",
    "broken": "litellm.InternalServerError",
}


def llama(folder):
    path = folder / "tiny.gguf"
    tiny.write(path, (HERE / "chat.jinja").read_text())
    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.model_alias = {"tiny"}
    settings.verbosity = 0
    settings.n_ctx = tiny.CONTEXT
    settings.n_parallel = 1
    settings.cpuparams.n_threads = 1
    settings.use_jinja = True
    settings.port = 0
    return xllamacpp.Server(settings)


def litellm(folder, model):
    # `deepseek` asks for Chat Completions whatever LiteLLM itself is asked for, and so do its mocks.
    models = [("tiny", {"model": "openai/tiny", "api_base": model}), ("bridged", {"model": "deepseek/tiny", "api_base": model})]
    # LiteLLM knows for each provider what it takes.
    models.append(("picky", {"model": "mistral/tiny", "api_base": model}))
    models += [(name, {"model": "deepseek/mock", "api_base": model, "mock_response": words}) for name, words in MOCKS.items()]
    config = {
        "model_list": [{"model_name": name, "litellm_params": {"api_key": "none", **params}} for name, params in models],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"num_retries": 0, "telemetry": False},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    path = folder / "litellm.yaml"
    # YAML knows no surrogate pairs.
    path.write_text(json.dumps(config, ensure_ascii=False), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = pathlib.Path(sys.executable).parent / "litellm"
    # Without it, it fetches a list of prices first.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    log = (folder / "litellm.log").open("wb")
    child = subprocess.Popen(
        [program, "--config", path, "--host", "127.0.0.1", "--port", str(port)],
        env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder,
    )
    return child, f"http://127.0.0.1:{port}"


def main():
    # The end of the input is the end: a signal that ended this while it waits for LiteLLM would leave LiteLLM behind.
    # A function, since what is ignored here would be ignored by LiteLLM too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    folder = pathlib.Path(sys.argv[1])
    server = llama(folder)
    urls = {"llama": f"{server.listening_address}/v1"}
    child = None
    if "--litellm" in sys.argv:
        child, url = litellm(folder, urls["llama"])
        urls["litellm"] = f"{url}/v1"
    try:
        while child:
            if child.poll() is not None:
                sys.exit((folder / "litellm.log").read_text())
            try:
                urllib.request.urlopen(f"{url}/health/liveliness", timeout=5).close()
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        print(json.dumps(urls), flush=True)
        sys.stdin.read()
    finally:
        if child:
            child.terminate()
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


main()
