"""moto behind a door for one at a time: it takes requests on threads and checks conditions without a lock of its own."""

import io
import signal
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

door = threading.Lock()
services = DomainDispatcherApplication(create_backend_app)


def one_at_a_time(environ, start_response):
    # Whoever waits for a message waits outside.
    if environ.get("HTTP_X_AMZ_TARGET", "").endswith(".ReceiveMessage"):
        return services(environ, start_response)
    # What is still on its way holds up nobody else.
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
    with door:
        return services(environ, start_response)


class Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True, request_handler=Handler)
