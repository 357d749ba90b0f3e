"""YAML in which each key and each value knows its line.

A configuration error is worth its line number, and PyYAML forgets it when it builds Python values; so this stops one
step earlier, at PyYAML's nodes, and builds the values itself. What that gives on top:

- a key written twice is a problem that names both lines (PyYAML silently takes the second);
- `12:30`, `0o17` and dates stay the text they look like (YAML 1.1 reads the first as 750);
- anchors, aliases and merge keys (`<<`) work, but aliases that multiply (a "billion laughs"), aliases that contain
  themselves and bottomless nesting are refused before they cost anything;
- no tag can construct anything.

Keys are always text: `80:` is the key "80" and `no:` the key "no".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

KeyPath = tuple[str | int, ...]
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]

LARGEST_TEXT = 1_000_000
_DEEPEST = 50
_MOST_NODES = 100_000
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(_TAG + name for name in ("str", "timestamp", "value"))
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]{0,17})")
_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_HINTS = {  # by a part of what PyYAML says
    r"'\t'": "; indent with blanks",
    "mapping values are not allowed": '; a value with ": " in it or a colon at its end must stand in quotes, "test:"',
    "but got '{'": "; inside { } a value that has { } or , in it must stand in quotes",
}


class Mark(NamedTuple):
    """A place in the text; both count from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """Something that a person must mend. `path` is empty where no key is concerned."""

    mark: Mark
    path: KeyPath
    message: str


@dataclass(slots=True)
class LocatedYaml:
    """A document's plain values, and where each path's key and value stand.

    `unread` are the paths whose value could not be made; `data` has None there.
    """

    data: Plain = None
    key_marks: dict[KeyPath, Mark] = field(default_factory=dict)
    value_marks: dict[KeyPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: set[KeyPath] = field(default_factory=set)


def read_yaml(text: str) -> LocatedYaml:
    """Reads one YAML document. Never raises: what is wrong stands in `problems`."""
    document = LocatedYaml()
    if len(text) > LARGEST_TEXT:
        document.problems.append(Problem(Mark(1, 1), (), f"longer than {LARGEST_TEXT} characters"))
        return document
    try:
        root = _compose(text)
        if root is not None:
            document.data = _Builder(document).build(root, ())
    except _Refusal as refusal:
        document.problems.append(Problem(refusal.mark, refusal.path, refusal.message))
    return document


class _Refusal(Exception):
    def __init__(self, mark: Mark, message: str, path: KeyPath = ()) -> None:
        super().__init__(message)
        self.mark, self.message, self.path = mark, message, path


class _Composer(yaml.SafeLoader):
    """PyYAML's composer recurses per level; this one stops before Python would."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth == _DEEPEST:
            here = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _Refusal(_mark(here), f"nested more than {_DEEPEST} levels deep")
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _compose(text: str) -> yaml.Node | None:
    loader: _Composer | None = None
    try:
        loader = _Composer(text)
        node: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f"{error.context}: " if error.context else ""
        hint = next((hint for part, hint in _HINTS.items() if part in str(error.problem)), "")
        raise _Refusal(_mark(mark), f"not YAML: {context}{error.problem}{hint}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark_ = Mark(before.count("\n") + 1, error.position - before.rfind("\n"))
        raise _Refusal(mark_, f"not YAML: character U+{ord(text[error.position]):04X} is not allowed") from None
    except (ValueError, OverflowError):  # PyYAML passes any number of an escape such as "\UFFFFFFFF" to chr()
        mark = loader.get_mark() if loader else None
        raise _Refusal(_mark(mark), "not YAML: an escape that is no Unicode character") from None
    return node


def _mark(mark: yaml.Mark | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


class _Builder:
    """Turns nodes into values. `_open` holds the nodes being built, so that none can contain itself."""

    def __init__(self, document: LocatedYaml) -> None:
        self._document = document
        self._open: set[int] = set()
        self._built = 0

    def build(self, node: yaml.Node, path: KeyPath) -> Plain:
        self._enter(node, path)
        self._document.value_marks[path] = _mark(node.start_mark)
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, path)
            return self._wrong_tag(node, path)
        finally:
            self._open.discard(id(node))

    def _enter(self, node: yaml.Node, path: KeyPath) -> None:
        self._built += 1
        if self._built > _MOST_NODES:
            raise _Refusal(_mark(node.start_mark), f"its aliases make more than {_MOST_NODES} values", path)
        if id(node) in self._open:
            raise _Refusal(_mark(node.start_mark), "this anchor's value contains an alias of itself", path)
        self._open.add(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> Plain:
        values: dict[str, Plain] = {}
        for key, key_node, value_node in self._pairs(node, path):
            self._document.key_marks[*path, key] = _mark(key_node.start_mark)
            values[key] = self.build(value_node, (*path, key))
        return values

    def _pairs(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """A mapping's own pairs, then those that `<<` brings and that it does not have itself."""
        seen: dict[str, Mark] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            key, mark = self._key(key_node, path), _mark(key_node.start_mark)
            if key is None:
                continue
            if key in seen:
                message = f"written twice, first at line {seen[key].line}; keep one of the two"
                self._problem(mark, (*path, key), message)
                continue
            seen[key] = mark
            if key_node.tag == f"{_TAG}merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            else:
                yield key, key_node, value_node
        for source in merged:
            for key, key_node, value_node in self._merged_pairs(source, path):
                if key not in seen:
                    seen[key] = _mark(key_node.start_mark)
                    yield key, key_node, value_node

    def _merged_pairs(self, source: yaml.Node, path: KeyPath) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        if not isinstance(source, yaml.MappingNode):
            self._problem(_mark(source.start_mark), (*path, "<<"), "merges only mappings, such as <<: *name")
            return
        self._enter(source, path)
        yield from self._pairs(source, path)
        self._open.discard(id(source))

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self._problem(_mark(node.start_mark), path, "a key must be a plain word, not a list or a mapping")
        return None

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Plain:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool" if text.lower() in _BOOLEANS:
                return _BOOLEANS[text.lower()]
            case "int":
                return int(text) if _DECIMAL.fullmatch(text) else text
            case "float":
                return _float(text)
        return text if node.tag in _TEXT_TAGS else self._wrong_tag(node, path)

    def _wrong_tag(self, node: yaml.Node, path: KeyPath) -> Plain:
        self._document.unread.add(path)
        tag = node.tag.replace(_TAG, "!!")
        self._problem(_mark(node.start_mark), path, f"the tag {tag} is not allowed; write plain YAML")
        return None

    def _problem(self, mark: Mark, path: KeyPath, message: str) -> None:
        self._document.problems.append(Problem(mark, path, message))


def _float(text: str) -> Plain:
    """The number, or the text where YAML 1.1 means base 60 (`1:30.5`)."""
    dotted = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}.get(text.lower(), text)
    try:
        return float(dotted.replace("_", ""))
    except ValueError:
        return text
