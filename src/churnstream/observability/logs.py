"""Logs: an event name plus keys, one line each, on stderr."""

import logging
import sys

import structlog
from structlog.typing import Processor


def configure(level: str, style: str) -> None:
    """Set up structlog for this process.

    Args:
        level: "debug", "info", "warning" or "error".
        style: "console" to read, "json" for machines.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; the client library's chatter is for debugging.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("churnstream").setLevel(number)
    logging.getLogger("churnstream.kafka.client").setLevel(
        logging.DEBUG if level == "debug" else logging.CRITICAL
    )
