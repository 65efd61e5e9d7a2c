from contextlib import contextmanager

LAN = "br-lan"


class CannotRun(Exception): ...


@contextmanager
def running(lab, road):
    raise CannotRun("x")
    yield
