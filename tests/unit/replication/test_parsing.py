"""Integers that no 64 bits hold, and nesting, are found document by document."""

from __future__ import annotations

import pytest

from sync_server.errors import BadRequest
from sync_server.replication.parsing import encode_document, is_deeper, parse_json


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63)])
def test_an_integer_of_64_bits_is_read_either_way(number: int) -> None:
    for any_integer in (False, True):
        assert parse_json(b'{"n": %d}' % number, any_integer=any_integer) == {"n": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_a_larger_integer_is_kept_digit_by_digit_where_it_is_asked_for(number: int) -> None:
    raw = b'{"n":%s,"name":"%s"}' % (str(number).encode(), "សុខ".encode())
    with pytest.raises(BadRequest, match="64 bits"):
        parse_json(raw)
    document = parse_json(raw, any_integer=True)
    assert encode_document(document) == (raw, False)


def test_an_integer_beyond_the_range_of_a_double_is_refused_even_so() -> None:
    with pytest.raises(BadRequest):
        parse_json(b'{"n":1%s}' % (b"0" * 309), any_integer=True)


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
