"""A device keeps the language that its person chose, without a cookie."""

from captive_portal.tongues import CHOICES_MAX, Tongues
from captive_portal.words import Words
from node.units import MacAddress

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")


def four() -> Tongues:
    return Tongues(Words(tag) for tag in ("en", "ca", "es", "fr"))


def test_a_choice_holds_for_the_device_that_made_it_and_for_no_other() -> None:
    tongues = four()
    tongues.choose(ANA, "ca")
    assert tongues.tongue(ANA, "fr", own="en").language.tag == "ca"
    assert tongues.tongue(BEN, "fr", own="en").language.tag == "fr"
    assert tongues.tongue(None, "fr", own="en").language.tag == "fr"


def test_the_address_goes_before_the_choice() -> None:
    tongues = four()
    tongues.choose(ANA, "ca")
    assert tongues.tongue(ANA, "fr", own="en", asked="es").language.tag == "es"


def test_a_choice_that_is_no_language_changes_nothing() -> None:
    tongues = four()
    tongues.choose(ANA, "ca")
    tongues.choose(ANA, "tlh")
    assert tongues.tongue(ANA, "fr", own="en").language.tag == "ca"


def test_a_community_shows_the_languages_that_it_wants_and_always_its_own() -> None:
    tongue = four().tongue(ANA, "fr", own="ca", shown=("es",))
    assert [language.tag for language in tongue.offered] == ["ca", "es"]
    assert tongue.language.tag == "ca"


def test_a_choice_that_the_community_does_not_show_waits() -> None:
    tongues = four()
    tongues.choose(ANA, "fr")
    assert tongues.tongue(ANA, "", own="ca", shown=("es",)).language.tag == "ca"
    assert tongues.tongue(ANA, "", own="ca").language.tag == "fr"


def test_a_community_whose_language_has_no_catalogue_yet_speaks_the_first() -> None:
    assert four().tongue(ANA, "de", own="eu").language.tag == "en"


def test_a_wish_without_a_catalogue_is_known() -> None:
    assert ("eu", "de-AT") == four().lacking("ca", "eu", "fr-CA", "de-AT")


def test_many_choices_take_up_no_more_than_their_limit() -> None:
    tongues = four()
    tongues.choose(ANA, "fr")
    for number in range(CHOICES_MAX):
        tongues.choose(MacAddress(f"02:00:00:01:{number // 256:02x}:{number % 256:02x}"), "ca")
    assert tongues.tongue(ANA, "", own="en").language.tag == "en"
    assert len(tongues._chosen) == CHOICES_MAX
