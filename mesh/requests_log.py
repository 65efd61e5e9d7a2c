"""The log of requests to the mesh port, without those that are no HTTP."""

import logging

from aiohttp.http_exceptions import HttpProcessingError


class _NoBadRequests(logging.Filter):
    """Drops what aiohttp says about requests that are no HTTP: each has a traceback, and strangers would fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


requests_log = logging.getLogger("procomu.mesh.requests")
requests_log.addFilter(_NoBadRequests())
