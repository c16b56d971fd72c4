"""Item 49: whatever is printed or logged, no token is in it."""

from holdfast.session import Sessions


def test_item_49_neither_session_nor_outcome_shows_a_token(either: Sessions) -> None:
    session = either.load(None)
    session["name"] = "Ann"
    outcome = either.commit(session)
    assert outcome.token is not None
    again = either.load(outcome.token)
    assert again["name"] == "Ann"
    for shown in (outcome, session, again, either):
        assert outcome.token not in f"{shown!r} {shown}"
    assert repr(outcome) == "Outcome(token=..., max_age=None, expire=False)"
