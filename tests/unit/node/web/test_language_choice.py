"""A device keeps the language that was chosen on it, without a cookie."""

from node.units import MacAddress
from node.web.language_choice import CHOICES_MAX, LanguageChooser
from node.web.translations import Translations

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")


def four() -> LanguageChooser:
    return LanguageChooser(Translations(tag).language for tag in ("en", "ca", "es", "fr"))


def test_a_choice_holds_for_its_device_and_for_no_other() -> None:
    language_chooser = four()
    language_chooser.choose(ANA, "ca")
    assert language_chooser.language_for(ANA, "fr", own="en").language.tag == "ca"
    assert language_chooser.language_for(BEN, "fr", own="en").language.tag == "fr"
    assert language_chooser.language_for(None, "fr", own="en").language.tag == "fr"


def test_a_language_in_the_address_overrides_the_choice() -> None:
    language_chooser = four()
    language_chooser.choose(ANA, "ca")
    assert language_chooser.language_for(ANA, "fr", own="en", chosen="es").language.tag == "es"


def test_an_unknown_language_changes_nothing() -> None:
    language_chooser = four()
    language_chooser.choose(ANA, "ca")
    language_chooser.choose(ANA, "tlh")
    assert language_chooser.language_for(ANA, "fr", own="en").language.tag == "ca"


def test_a_community_offers_its_listed_languages_and_always_its_own() -> None:
    page_language = four().language_for(ANA, "fr", own="ca", shown=("es",))
    assert [language.tag for language in page_language.offered] == ["ca", "es"]
    assert page_language.language.tag == "ca"


def test_a_choice_that_the_community_does_not_offer_is_kept_for_later() -> None:
    language_chooser = four()
    language_chooser.choose(ANA, "fr")
    assert language_chooser.language_for(ANA, "", own="ca", shown=("es",)).language.tag == "ca"
    assert language_chooser.language_for(ANA, "", own="ca").language.tag == "fr"


def test_a_community_language_without_a_catalogue_is_replaced_by_the_first() -> None:
    assert four().language_for(ANA, "de", own="eu").language.tag == "en"


def test_a_listed_language_without_a_catalogue_is_known() -> None:
    assert ("eu", "de-AT") == four().lacking("ca", "eu", "fr-CA", "de-AT")


def test_many_choices_use_no_more_memory_than_their_limit() -> None:
    language_chooser = four()
    language_chooser.choose(ANA, "fr")
    for number in range(CHOICES_MAX):
        language_chooser.choose(MacAddress(f"02:00:00:01:{number // 256:02x}:{number % 256:02x}"), "ca")
    assert language_chooser.language_for(ANA, "", own="en").language.tag == "en"
    assert len(language_chooser._chosen) == CHOICES_MAX
