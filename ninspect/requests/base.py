"""What all requests have in common: JSON both ways, bounds, and what must be read to answer."""

# Without `from __future__ import annotations`: the annotations hold options, which are read again and again.

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from ninspect.errors import UsageError
from ninspect.option import Option, adapter, options, paths, validated
from ninspect.requests.shared import CHECKED

KINDS: dict[str, type["Request"]] = {}


@dataclass(frozen=True)
class Request:
    """What all requests have in common.

    Attributes:
        kind: names the class in JSON.
    """

    __pydantic_config__: ClassVar = CHECKED
    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Whoever names a kind can be read from JSON."""
        if "kind" in cls.__dict__:
            KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        """Refuse a number outside the bounds of its option.

        Raises:
            UsageError: there is one.
        """
        for each, _, option in options(type(self)):  # type: ignore[arg-type]  # it takes types for their instances
            value = getattr(self, each.name)
            if option is not None and isinstance(value, int | float) and not option.allows(value):
                bounds = f"at least {option.min}" if option.max is None else f"from {option.min} to {option.max}"
                raise UsageError(f"{each.name} = {value} is out of range; give a number {bounds}")

    @property
    def readable(self) -> tuple[Path, ...]:
        """Files and folders that must be read to answer."""
        return tuple(paths(self))

    @property
    def gpu(self) -> bool:
        """Whether a GPU may be used to answer."""
        return False

    def facts(self) -> dict[str, Any]:
        """The fields of the request in what JSON can hold."""
        return dict(adapter(type(self)).dump_python(self, mode="json"))  # type: ignore[arg-type]

    def to_json(self) -> str:
        """The request as an object of JSON, its kind included."""
        return json.dumps({"kind": self.kind, **self.facts()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` wrote; of `Request` itself, whatever the kind.

        Raises:
            UsageError: it is no such request, or a key or a value is wrong.
        """
        try:
            facts = dict(json.loads(text))
            kind = KINDS[facts.pop("kind")]
        except (TypeError, ValueError, KeyError) as error:
            raise UsageError("this is no request of ninspect; give what to_json wrote") from error
        if not issubclass(kind, cls):
            raise UsageError(f"a request to {kind.kind} was given where one to {cls.kind} is needed")
        return validated(kind, facts, f"a request to {kind.kind}")

    def checked(self) -> Self:
        """This request with every value as its type has it: texts become paths, lists tuples.

        Raises:
            UsageError: a value is wrong.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return validated(type(self), values, f"a request to {self.kind}")


@dataclass(frozen=True)
class ModelRequest(Request):
    """What is asked of one model."""

    model: Annotated[Path, Option("The ONNX file.", metavar="MODEL")]

    @property
    def readable(self) -> tuple[Path, ...]:
        """The paths of the request, and the folder of the model, where its weights and its settings may lie."""
        return (*super().readable, self.model.parent)
