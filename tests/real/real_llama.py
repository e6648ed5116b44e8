"""A llama.cpp server on a free port, until standard input ends.

Usage: ``python real_llama.py MODEL CONTEXT KEY PURPOSE`` prints its address; the purpose
is ``chat`` or ``embeddings``. Its own file, so that the library with the server in it is
loaded in the process that can be killed.
"""

import sys
from importlib import import_module
from typing import Any

SLOTS = 2
SEED = 7
"""Of every answer, so that one question has one answer at any temperature."""


def serve(model: str, context: int, key: str, purpose: str) -> None:
    """Serve a model to two clients that know the key, each with a context of its own."""
    xllamacpp: Any = import_module("xllamacpp")  # it has no types
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"syllables"}
    params.api_keys = [key]
    params.port = 0
    params.n_ctx = SLOTS * context
    params.n_parallel = SLOTS
    params.n_threads_http = 8
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    params.warmup = False
    params.sampling.seed = SEED
    params.fit_params = False
    params.use_jinja = True
    params.ui = False
    params.endpoint_metrics = True
    if purpose == "embeddings":
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
