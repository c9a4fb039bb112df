"""A training, and who attended it."""

from __future__ import annotations

from schemas.envelope import Envelope
from schemas.fields import choice, day, matching, reference, text, whole
from schemas.household import SEXES
from schemas.proposal import ACTIVITIES

MOST_HOURS = 24 * 14


class Training(Envelope):
    topic = text("Topic", "ប្រធានបទ", required=True)
    activity = choice("Activity", "សកម្មភាព", ACTIVITIES, required=True)
    date = text("Date", "កាលបរិច្ឆេទ", required=True, validate=day)
    village = text(
        "Village of the venue",
        "ភូមិដែលបណ្តុះបណ្តាល",
        required=True,
        validate=matching(r"\d{8}", "village"),
    )
    trainer = text("Trainer", "គ្រូបណ្តុះបណ្តាល", required=True)
    hours = whole("Hours", "ចំនួនម៉ោង", least=1, most=MOST_HOURS, required=True)


class Attendance(Envelope):
    """One person at one training; the id `attendance:<training>:<household>:<person>` is made of
    the facts, so that the same fact captured twice is one document.
    """

    training = reference("Training", "ការបណ្តុះបណ្តាល", "training", required=True)
    household = reference("Household", "គ្រួសារ", "household", required=True)
    person = whole("Person", "លេខរៀងសមាជិក", "immutable", least=1, most=30, required=True)
    name = text("Name", "ឈ្មោះ", required=True)
    sex = choice("Sex", "ភេទ", SEXES, required=True)
    birth_year = whole("Year of birth", "ឆ្នាំកំណើត", least=1900, most=2100)
