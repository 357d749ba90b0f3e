"""Errors carry what people and the server need, and nothing is outside the tree."""

from __future__ import annotations

from hlscam import errors


def test_all_errors_are_hlscams() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert len(kinds) > 5
    assert all(issubclass(each, errors.HlscamError) and each.__doc__ for each in kinds)


def test_a_message_and_what_to_do() -> None:
    error = errors.NotFound("there is no camera 'x'", hint="GET /api/v1/cameras lists them")
    assert (str(error), error.message, error.hint) == (
        "there is no camera 'x'",
        "there is no camera 'x'",
        "GET /api/v1/cameras lists them",
    )
    assert errors.Gone("it was removed").hint == ""


def test_a_media_error_names_box_and_offset() -> None:
    error = errors.MediaError("the box ends inside its fields", box_type="tfhd", offset=1234)
    assert (error.box_type, error.offset) == ("tfhd", 1234)
    assert error.message == str(error) == "the box ends inside its fields (box 'tfhd' at byte 1234)"


def test_a_source_error_has_a_reason() -> None:
    assert errors.SourceError("it refuses", reason="authentication", hint="set the password").reason == "authentication"
