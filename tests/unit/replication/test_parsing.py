"""Integers that no 64 bits hold, halves of characters and nesting are found by document."""

from __future__ import annotations

import json

import pytest

from sync_server.errors import BadRequest
from sync_server.replication.parsing import encode_document, is_deeper, parse_json, without_halves


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63)])
def test_an_integer_of_64_bits_is_read_either_way(number: int) -> None:
    for any_value in (False, True):
        assert parse_json(b'{"n": %d}' % number, any_value=any_value) == {"n": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_a_larger_integer_is_kept_digit_by_digit_where_it_is_asked_for(number: int) -> None:
    raw = b'{"n":%s,"name":"%s"}' % (str(number).encode(), "សុខ".encode())
    with pytest.raises(BadRequest, match="64 bits"):
        parse_json(raw)
    document = parse_json(raw, any_value=True)
    assert encode_document(document) == (raw, "integers")


def test_an_integer_beyond_the_range_of_a_double_is_refused_even_so() -> None:
    with pytest.raises(BadRequest):
        parse_json(b'{"n":1%s}' % (b"0" * 309), any_value=True)


@pytest.mark.parametrize("half", ["\\ud83d", "\\udc00", "\\ud83d\\u0041"])
def test_half_a_character_is_kept_where_it_is_asked_for(half: str) -> None:
    raw = b'{"a":"x%s","b":{"%s":1}}' % (half.encode(), half.encode())
    with pytest.raises(BadRequest, match="surrogate"):
        parse_json(raw)
    document = parse_json(raw, any_value=True)
    body, fault = encode_document(document)
    assert fault == "text"
    assert json.loads(body) == document == json.loads(raw)
    assert "\ufffd" in without_halves(document)["a"]


@pytest.mark.parametrize(
    "more", ['"b":1,"b":2', '"b":NaN', '"b":-Infinity', '"b":1e999', '"b":', '"b":' + "[" * 5000]
)
def test_beside_half_a_character_all_else_is_read_as_strictly(more: str) -> None:
    with pytest.raises(BadRequest):
        parse_json(b'{"a":"\\ud83d",%s}' % more.encode(), any_value=True)


def test_a_duplicate_key_is_named() -> None:
    with pytest.raises(BadRequest, match='"b"'):
        parse_json(b'{"a":1,"b":2,"b":3}')


@pytest.mark.parametrize("opening", [(b"[", b"]"), (b'{"a":', b"}")])
def test_levels_are_counted_as_they_stand_in_one_another(opening: tuple[bytes, bytes]) -> None:
    first, last = opening
    text = first * 5 + b"1" + last * 5
    assert not is_deeper(text, 5)
    assert is_deeper(text, 4)


def test_brackets_beside_one_another_and_in_texts_are_no_levels() -> None:
    assert not is_deeper(b'{"a":[[],[],[],[]],"b":"[[[[[[[["}', 3)
    assert is_deeper(b'{"a":[[],[],[],[]],"b":"[[[[[[[["}', 2)
