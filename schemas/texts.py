"""What is wrong with a field, and what to do about it, in English and Khmer.

Schemas name problems by code; the texts live here, so that they are translated in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TEXTS: Mapping[str, tuple[str, str]] = {
    "required": ("Fill in this field.", "សូមបំពេញចន្លោះនេះ។"),
    "invalid": (
        "This is not a value of the right kind: enter it again.",
        "តម្លៃមិនត្រឹមត្រូវ៖ សូមបញ្ចូលម្តងទៀត។",
    ),
    "choice": ("Choose one of the values offered.", "សូមជ្រើសរើសតម្លៃមួយក្នុងបញ្ជី។"),
    "range": ("The number is too small or too large: check it.", "លេខនេះតូចពេក ឬធំពេក៖ សូមពិនិត្យឡើងវិញ។"),
    "village": (
        "Choose the village from the list: its code has 8 digits.",
        "សូមជ្រើសរើសភូមិពីបញ្ជី៖ លេខកូដមាន ៨ ខ្ទង់។",
    ),
    "phone": (
        "Enter the phone number with its country code, as +855 12 345 678.",
        "សូមបញ្ចូលលេខទូរស័ព្ទជាមួយលេខកូដប្រទេស ដូចជា +855 12 345 678។",
    ),
    "national_id": (
        "A national id has nine digits: enter it as on the card.",
        "លេខអត្តសញ្ញាណប័ណ្ណមាន ៩ ខ្ទង់៖ សូមបញ្ចូលដូចក្នុងប័ណ្ណ។",
    ),
    "card": (
        "An equity card number looks like 12345678-1234: enter it as on the card.",
        "លេខប័ណ្ណសមធម៌មានទម្រង់ 12345678-1234៖ សូមបញ្ចូលដូចក្នុងប័ណ្ណ។",
    ),
    "name": (
        "Enter surname and given name, in Khmer or in Latin letters.",
        "សូមបញ្ចូលនាមត្រកូល និងនាមខ្លួន ជាអក្សរខ្មែរ ឬអក្សរឡាតាំង។",
    ),
    "women": (
        "There cannot be more women than members: check both numbers.",
        "ចំនួនស្រីមិនអាចលើសចំនួនសមាជិកទេ៖ សូមពិនិត្យលេខទាំងពីរ។",
    ),
    "total": (
        "The total is not the sum of the lines: check quantities and prices.",
        "ចំនួនសរុបមិនស្មើផលបូកនៃបន្ទាត់ទេ៖ សូមពិនិត្យបរិមាណ និងតម្លៃ។",
    ),
    "lines": ("Add at least one line.", "សូមបន្ថែមយ៉ាងហោចណាស់មួយបន្ទាត់។"),
    "household": ("Choose the household that this is for.", "សូមជ្រើសរើសគ្រួសារសម្រាប់ឯកសារនេះ។"),
    "proposal": ("Choose the proposal that this belongs to.", "សូមជ្រើសរើសសំណើដែលពាក់ព័ន្ធ។"),
    "delivery": ("Choose the delivery that this belongs to.", "សូមជ្រើសរើសការប្រគល់ដែលពាក់ព័ន្ធ។"),
    "training": ("Choose the training that was attended.", "សូមជ្រើសរើសការបណ្តុះបណ្តាលដែលបានចូលរួម។"),
    "verifies": (
        "Choose the proposal or the delivery that this visit is about.",
        "សូមជ្រើសរើសសំណើ ឬការប្រគល់ដែលបានចុះពិនិត្យ។",
    ),
    "accepted": (
        "No more can be accepted than was delivered: check both quantities.",
        "បរិមាណទទួលយកមិនអាចលើសបរិមាណប្រគល់ទេ៖ សូមពិនិត្យទាំងពីរ។",
    ),
    "notice": (
        "Open the notice that you contest, and write from there.",
        "សូមបើកសេចក្តីជូនដំណឹងដែលអ្នកជំទាស់ រួចសរសេរពីទីនោះ។",
    ),
    "date": (
        "Enter a date with its time zone; check the tablet's clock.",
        "សូមបញ្ចូលកាលបរិច្ឆេទជាមួយតំបន់ម៉ោង និងពិនិត្យនាឡិកាថេប្លេត។",
    ),
    "reason": ("Say why.", "សូមបញ្ជាក់មូលហេតុ។"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that is not as it should be. `field`: a path such as `lines.0.quantity`."""

    field: str
    code: str
    text_en: str
    text_km: str


def problem(field: str, code: str) -> Problem:
    """A problem by its code; an unknown code is told as `invalid`."""
    text_en, text_km = TEXTS.get(code, TEXTS["invalid"])
    return Problem(field, code if code in TEXTS else "invalid", text_en, text_km)
