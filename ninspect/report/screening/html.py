"""A screening as a contact sheet: one HTML file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from ninspect.report.page import page
from ninspect.report.screening.schema import Screening
from ninspect.report.screening.wording import MEANING, NOT_A_PROOF, headline, named_class, remarks, word
from ninspect.report.wording import sentence


def html_screening(screening: Screening) -> str:
    """The first pictures with the part that carries the answer, those that were found before the others."""
    pictured = [(rank, one) for rank, one in enumerate(screening.pictures, 1) if one.shown is not None]
    return page(
        "screening.html",
        ["report.css", "screening.css"],
        [named_class, sentence],
        s=screening,
        word=word(screening),
        headline=headline(screening),
        remarks=remarks(screening),
        found=[entry for entry in pictured if entry[1].found],
        others=[entry for entry in pictured if not entry[1].found],
        meaning=MEANING,
        not_a_proof=NOT_A_PROOF,
    )
