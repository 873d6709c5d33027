"""A web service that scores customers in the background and answers who is about to leave.

Run it:  python examples/service.py config.yaml 8000
Ask it:  curl 127.0.0.1:8000
"""

import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import churnstream as cs

leaving: dict[str, float] = {}
scorer = cs.StreamScorer(
    lambda batch: leaving.update({c.id: c.churn_probability for c in batch if c.leaves}),
    config=sys.argv[1],
)
thread = threading.Thread(target=scorer.run)
thread.start()
uvicorn.run(Starlette(routes=[Route("/", lambda _: JSONResponse(leaving))]), port=int(sys.argv[2]))
scorer.stop()  # Ctrl-C ends uvicorn; the batch in hand is committed before the thread ends
thread.join()
