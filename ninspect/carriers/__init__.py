"""Which pictures carry a trigger that a scan has recovered."""

from ninspect.carriers.look import look_through

__all__ = ["look_through"]
