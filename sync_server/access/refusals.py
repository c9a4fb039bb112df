"""Why a write is refused: short codes, and what the author is told, in English and Khmer.

What an author is told may be another reason than what an admin sees: whether a document is there
that the author may not see must not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync_server.errors import Forbidden

KEPT_EN = "It is kept, nothing is lost: you need not send it again."
KEPT_KM = "វាត្រូវបានរក្សាទុក គ្មានអ្វីបាត់ទេ៖ អ្នកមិនចាំបាច់ផ្ញើម្តងទៀតទេ។"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a write is refused."""

    code: str
    text_en: str
    text_km: str

    def as_error(self) -> Forbidden:
        """What the author's client is answered with, once the document is in quarantine."""
        return Forbidden(f"{self.text_en} {KEPT_EN} {self.text_km} {KEPT_KM}")


DESIGN = Reason(
    "design",
    "Only admins write design documents; this server runs no code from them anyway.",
    "មានតែអ្នកគ្រប់គ្រងទេដែលសរសេរឯកសាររចនា។ ម៉ាស៊ីនមេមិនដំណើរការកូដពីវាទេ។",
)
SERVER = Reason(
    "server",
    "Only the server writes reviews and notices: they say what it decided. Update the app, or tell "
    "an administrator.",
    "មានតែម៉ាស៊ីនមេទេដែលសរសេរលទ្ធផលពិនិត្យ និងសេចក្តីជូនដំណឹង។ សូមធ្វើបច្ចុប្បន្នភាពកម្មវិធី ឬប្រាប់អ្នកគ្រប់គ្រង។",
)
MERGED = Reason(
    "merged",
    "Only the server says of a deletion that it was merged into another revision. Update the app, "
    "or tell an administrator.",
    "មានតែម៉ាស៊ីនមេទេដែលកត់ត្រាថាការលុបត្រូវបានបញ្ចូលទៅក្នុងកំណែផ្សេង។ សូមធ្វើបច្ចុប្បន្នភាពកម្មវិធី ឬប្រាប់អ្នកគ្រប់គ្រង។",
)
TYPE = Reason(
    "type",
    "Your role does not write documents of this type. If you need to, ask an administrator.",
    "តួនាទីរបស់អ្នកមិនអាចសរសេរឯកសារប្រភេទនេះទេ។ បើចាំបាច់ សូមសួរអ្នកគ្រប់គ្រង។",
)
PREFIX = Reason(
    "prefix",
    "The document's id does not begin with its type, so it is not clear what it is. Update the "
    "app, then enter it again.",
    "លេខសម្គាល់ឯកសារមិនចាប់ផ្តើមដោយប្រភេទរបស់វាទេ។ សូមធ្វើបច្ចុប្បន្នភាពកម្មវិធី រួចបញ្ចូលម្តងទៀត។",
)
OUTSIDE = Reason(
    "outside",
    "This document belongs to an area that you do not work in. Choose a village of your own area; "
    "if you do work there, tell an administrator.",
    "ឯកសារនេះស្ថិតនៅតំបន់ដែលអ្នកមិនធ្វើការ។ សូមជ្រើសរើសភូមិក្នុងតំបន់របស់អ្នក ឬប្រាប់អ្នកគ្រប់គ្រង ប្រសិនបើអ្នកធ្វើការនៅទីនោះ។",
)
TAKEN = Reason("taken", OUTSIDE.text_en, OUTSIDE.text_km)
"""The document is there, in an area that its sender does not see: which he is not told."""
ENDED = Reason(
    "ended",
    "This was captured after your work in that area had ended. Check the tablet's date; if the "
    "work goes on, tell an administrator.",
    "ទិន្នន័យនេះត្រូវបានកត់ត្រាក្រោយពេលការងាររបស់អ្នកក្នុងតំបន់នោះបានបញ្ចប់។ "
    "សូមពិនិត្យកាលបរិច្ឆេទក្នុងថេប្លេត ឬប្រាប់អ្នកគ្រប់គ្រង ប្រសិនបើការងារនៅបន្ត។",
)
LATE = Reason(
    "late",
    "This arrived too long after your work in that area had ended. Tell an administrator that it "
    "is waiting.",
    "ទិន្នន័យនេះមកដល់យឺតពេក ក្រោយពេលការងាររបស់អ្នកក្នុងតំបន់នោះបានបញ្ចប់។ សូមប្រាប់អ្នកគ្រប់គ្រងថាវានៅរង់ចាំ។",
)
DEVICE = Reason(
    "device",
    "This was captured before the tablet was enrolled again. An administrator must confirm that it "
    "is yours: tell one that it is waiting.",
    "ទិន្នន័យនេះត្រូវបានកត់ត្រាមុនពេលថេប្លេតត្រូវបានចុះឈ្មោះម្តងទៀត។ អ្នកគ្រប់គ្រងត្រូវបញ្ជាក់ថាវាជារបស់អ្នក៖ "
    "សូមប្រាប់គាត់ថាវានៅរង់ចាំ។",
)
GENERATION = Reason(
    "generation",
    "The document's revision number is far beyond what is known of it. Tell an administrator: the "
    "app's data may be damaged.",
    "លេខកំណែរបស់ឯកសារលោតឆ្ងាយពេក។ សូមប្រាប់អ្នកគ្រប់គ្រង៖ ទិន្នន័យក្នុងកម្មវិធីអាចខូច។",
)
AUTHOR = Reason(
    "author",
    "This document names somebody else as its author. Sign in as who captured it, or tell an "
    "administrator.",
    "ឯកសារនេះដាក់ឈ្មោះអ្នកដទៃជាអ្នកសរសេរ។ សូមចូលដោយគណនីរបស់អ្នកដែលបានកត់ត្រា ឬប្រាប់អ្នកគ្រប់គ្រង។",
)
ATTACHMENT = Reason(
    "attachment",
    "A photo or file of this document did not arrive whole. If you still have it, add it again; "
    "else tell an administrator.",
    "រូបថត ឬឯកសារភ្ជាប់មួយនៃឯកសារនេះមិនបានមកដល់ពេញលេញទេ។ បើអ្នកនៅមានវា សូមបន្ថែមវាម្តងទៀត "
    "បើមិនដូច្នេះទេ សូមប្រាប់អ្នកគ្រប់គ្រង។",
)
"""It may be written, and storage cannot take it: a stub stands for nothing, a digest is wrong."""

_SHORTEN_EN = "Enter it again in a shorter form, or tell an administrator."
_SHORTEN_KM = "សូមបញ្ចូលម្តងទៀតឱ្យខ្លីជាងនេះ ឬប្រាប់អ្នកគ្រប់គ្រង។"
_UPDATE_EN = "Update the app, then enter it again; if it happens again, tell an administrator."
_UPDATE_KM = "សូមធ្វើបច្ចុប្បន្នភាពកម្មវិធី រួចបញ្ចូលម្តងទៀត។ បើកើតឡើងម្តងទៀត សូមប្រាប់អ្នកគ្រប់គ្រង។"

DOCUMENT_BYTES = Reason(
    "document_bytes",
    f"The document is larger than the server takes. {_SHORTEN_EN}",
    f"ឯកសារនេះធំជាងដែលម៉ាស៊ីនមេអាចទទួលបាន។ {_SHORTEN_KM}",
)
ATTACHMENT_BYTES = Reason(
    "attachment_bytes",
    "A photo or file is larger than the server takes. Take the photo again in a smaller size.",
    "រូបថត ឬឯកសារភ្ជាប់ធំជាងដែលម៉ាស៊ីនមេអាចទទួលបាន។ សូមថតម្តងទៀតក្នុងទំហំតូចជាងនេះ។",
)
ATTACHMENTS = Reason(
    "attachments",
    "The document has more photos and files than the server takes. Leave some of them out.",
    "ឯកសារនេះមានរូបថត ឬឯកសារភ្ជាប់ច្រើនពេក។ សូមដកខ្លះចេញ។",
)
REVISIONS = Reason(
    "revisions",
    f"The document's history is longer than the server takes. {_UPDATE_EN}",
    f"ប្រវត្តិរបស់ឯកសារនេះវែងពេក។ {_UPDATE_KM}",
)
DEPTH = Reason(
    "depth",
    f"The document is nested deeper than the server takes. {_UPDATE_EN}",
    f"រចនាសម្ព័ន្ធរបស់ឯកសារនេះជ្រៅពេក។ {_UPDATE_KM}",
)
INTEGERS = Reason(
    "integers",
    "A number in the document is too large. Check the numbers, and enter it again.",
    "លេខមួយក្នុងឯកសារនេះធំពេក។ សូមពិនិត្យលេខ រួចបញ្ចូលម្តងទៀត។",
)
TEXT = Reason(
    "text",
    "A text in the document holds half a character, as of an emoji that was cut. Write the text "
    "again without it, and save.",
    "អត្ថបទមួយក្នុងឯកសារនេះមានតួអក្សរមិនពេញលេញ (ដូចជារូបអារម្មណ៍ដែលត្រូវបានកាត់)។ "
    "សូមសរសេរអត្ថបទនោះម្តងទៀតដោយគ្មានវា រួចរក្សាទុក។",
)
LEAVES = Reason(
    "leaves",
    "Too many edits of this document contradict each other. Tell an administrator: it takes no "
    "more until they are settled.",
    "ឯកសារនេះមានការកែប្រែផ្ទុយគ្នាច្រើនពេក។ សូមប្រាប់អ្នកគ្រប់គ្រង៖ មិនអាចទទួលបន្ថែមទេ ទាល់តែដោះស្រាយរួច។",
)

LIMITS: Mapping[str, Reason] = {
    reason.code: reason
    for reason in (
        DOCUMENT_BYTES,
        ATTACHMENT_BYTES,
        ATTACHMENTS,
        REVISIONS,
        DEPTH,
        INTEGERS,
        TEXT,
        LEAVES,
    )
}
"""By the code of a `DocumentTooLarge`."""

REASONS: Mapping[str, Reason] = {
    reason.code: reason
    for reason in (
        DESIGN,
        SERVER,
        MERGED,
        TYPE,
        PREFIX,
        OUTSIDE,
        TAKEN,
        ENDED,
        LATE,
        DEVICE,
        GENERATION,
        AUTHOR,
        ATTACHMENT,
        *LIMITS.values(),
    )
}
