"""The laws of foreign bytes, on samples and on what hypothesis makes of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.edits import edited
from fuzz.laws import LAWS

EXAMPLES = 100


@pytest.mark.parametrize("name", LAWS)
def test_every_sample_obeys(name: str) -> None:
    law = LAWS[name]
    for sample in (b"", *law.samples):
        law.check(sample)


@pytest.mark.parametrize("name", LAWS)
@settings(max_examples=EXAMPLES)
@given(random=st.data())
def test_whatever_bytes_obey(name: str, random: st.DataObject) -> None:
    law = LAWS[name]
    samples = st.sampled_from(law.samples)
    changes = st.binary(max_size=64)
    law.check(random.draw(st.binary(max_size=300) | st.builds(edited, samples, changes)))
