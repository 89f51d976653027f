"""What may stand where a preset is named, as text: a name, its settings, and combinations.

    peng4nn
    peng4nn:window=4,loss_check=true
    any(peng4nn, patience:patience_epochs=5)
    all(rungs:fractions=0.1,0.3, median)
    after(4, baker)
    my_rules.py:my_rule
    "my rules (new)/my_rules.py:my_rule":patience=4

A name is that of a preset, or `FILE.py:FUNCTION` in a user's file; a path that contains one of , ( ) = : or a quote
stands in (other) quotes. A value is true, false, a number, a word, several numbers with commas, or text in quotes.
This is the syntax only; `estimator.preset_library.lookup` knows the names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeAlias

from estimator.checks import nearest

__all__ = [
    "Combination",
    "Combined",
    "Delayed",
    "Expression",
    "Named",
    "Setting",
    "parse",
    "with_absolute_paths",
]

Setting: TypeAlias = bool | int | float | str
AFTER = "after"

_WORD = re.compile(r"[A-Za-z][\w-]*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?(?=\s*(,|\)|$))")
_INTEGER = re.compile(r"[+-]?\d+")
_BARE = re.compile(r"[^\s,()\"'=]+")
_FILE = re.compile(r"[^\s,()\"'=:][^,()\"'=:]*\.py:[A-Za-z_]\w*")
_QUOTED_FILE = re.compile(r"\"[^\"]+\.py:[A-Za-z_]\w*\"|'[^']+\.py:[A-Za-z_]\w*'")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_NEXT_SETTING = re.compile(r",\s*(?=[A-Za-z_]\w*\s*=)")
_NEXT_NUMBER = re.compile(rf",\s*(?={_NUMBER.pattern})")
_COMMA, _COLON, _EQUALS, _OPEN, _CLOSE = (re.compile(re.escape(sign)) for sign in ",:=()")
_KEY = re.compile(r"[A-Za-z_]\w*")
_BLANKS = re.compile(r"\s*")


class Combination(StrEnum):
    """How members decide together."""

    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A preset with settings of its own. `is_file`: it is `FILE.py:FUNCTION`, in a user's file."""

    name: str
    settings: tuple[tuple[str, Setting], ...] = ()
    is_file: bool = False

    def __str__(self) -> str:
        settings = ",".join(f"{key}={_written(value)}" for key, value in self.settings)
        name = self.name if not self.is_file or _FILE.fullmatch(self.name) else _quoted(self.name)
        return f"{name}:{settings}" if settings else name


@dataclass(frozen=True, kw_only=True, slots=True)
class Combined:
    """Several presets that decide together."""

    combination: Combination
    members: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"{self.combination}({', '.join(map(str, self.members))})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delayed:
    """A preset that may not stop before `epochs`."""

    epochs: float
    member: Expression

    def __str__(self) -> str:
        return f"{AFTER}({repr(self.epochs).removesuffix('.0')}, {self.member})"


Expression: TypeAlias = Named | Combined | Delayed


def parse(text: str) -> Expression:
    """What `text` says; `str` of it says the same. Raises ValueError, with the position, where it says nothing."""
    reader = _Reader(text)
    expression = reader.expression()
    if not reader.at_end:
        reader.refuse("the end")
    return expression


def with_absolute_paths(text: str) -> str:
    """The same presets, where each path of a user's file is absolute: it begins at the working directory.

    Text that names no file stays as it is. Raises ValueError where the text says nothing.
    """
    return str(_absolute(parse(text))) if ".py:" in text else text


def _absolute(expression: Expression) -> Expression:
    if isinstance(expression, Combined):
        return replace(expression, members=tuple(_absolute(member) for member in expression.members))
    if isinstance(expression, Delayed):
        return replace(expression, member=_absolute(expression.member))
    if not expression.is_file:
        return expression
    path, _, function = expression.name.rpartition(":")
    return replace(expression, name=f"{Path(path).expanduser().absolute()}:{function}")


class _Reader:
    """Recursive descent: one method for each part of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._after_blanks() == len(self._text)

    def expression(self) -> Expression:
        file = self._take(_QUOTED_FILE)[1:-1] or self._take(_FILE)
        if file:
            return Named(name=file, settings=self._settings(), is_file=True)
        word = self._expect(_WORD, "a preset's name")
        combinations = [Combination.ANY.value, Combination.ALL.value, AFTER]
        if not self._take(_OPEN):
            if word in combinations:
                self.refuse(f"'(' and the members of {word!r}")
            return Named(name=word, settings=self._settings())
        if word not in combinations:
            raise ValueError(
                f"preset {self._text!r}: unknown combination {word!r}{nearest(word, combinations)}"
            )
        if word == AFTER:
            epochs = float(self._expect(_NUMBER, "a number of epochs"))
            self._expect(_COMMA, "',' and a preset")
            result: Expression = Delayed(epochs=epochs, member=self.expression())
        else:
            members = [self.expression()]
            while self._take(_COMMA):
                members.append(self.expression())
            result = Combined(combination=Combination(word), members=tuple(members))
        self._expect(_CLOSE, "')'" if word == AFTER else "',' or ')'")
        return result

    def _settings(self) -> tuple[tuple[str, Setting], ...]:
        settings: dict[str, Setting] = {}
        more = self._take(_COLON)
        while more:
            key = self._expect(_KEY, "a setting's name")
            self._expect(_EQUALS, f"'=' and a value for {key!r}")
            if key in settings:
                raise ValueError(f"preset {self._text!r}: setting {key!r} is given twice")
            settings[key] = self._value(key)
            more = self._take(_NEXT_SETTING)
        return tuple(settings.items())

    def _value(self, key: str) -> Setting:
        quoted = self._take(_QUOTED)
        if quoted:
            return quoted[1:-1]
        numbers = [self._expect(_BARE, f"a value for {key!r}")]
        while _NUMBER.fullmatch(numbers[0]) and self._take(_NEXT_NUMBER):
            numbers.append(self._expect(_NUMBER, "a number"))
        return _typed(numbers[0]) if len(numbers) == 1 else ",".join(numbers)

    def _take(self, pattern: re.Pattern[str]) -> str:
        """What matches here, blanks before it left out; empty, and nothing is taken, if nothing does."""
        found = pattern.match(self._text, self._after_blanks())
        if found is None:
            return ""
        self._position = found.end()
        return found.group()

    def _expect(self, pattern: re.Pattern[str], wanted: str) -> str:
        taken = self._take(pattern)
        if not taken:
            self.refuse(wanted)
        return taken

    def _after_blanks(self) -> int:
        found = _BLANKS.match(self._text, self._position)
        return found.end() if found else self._position

    def refuse(self, wanted: str) -> NoReturn:
        start = self._after_blanks()
        seen = repr(self._text[start : start + 12]) if start < len(self._text) else "the end"
        raise ValueError(f"preset {self._text!r}: expected {wanted} at position {start + 1}, found {seen}")


def _typed(word: str) -> Setting:
    if word in ("true", "false"):
        return word == "true"
    if _INTEGER.fullmatch(word):
        return int(word)
    return float(word) if _NUMBER.fullmatch(word) else word


def _written(value: Setting) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    return value if _BARE.fullmatch(value) and _typed(value) == value else _quoted(value)


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'
