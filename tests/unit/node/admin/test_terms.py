"""Languages in which the terms can be written."""

from node.accounts.terms import Terms, TermsText
from node.admin.terms import languages_of
from node.config.model import SiteInfo

SITE = SiteInfo("Vall Alta", "library", "login.vall.example", languages=(("ca", "Català"), ("en", "English")))


def test_the_communitys_own_language_comes_first():
    assert (("ca", "Català"), ("en", "English")) == languages_of(SITE, ())


def test_terms_in_a_removed_language_can_still_be_read_and_changed():
    versions = [Terms("2", (TermsText("ca", "Hola"), TermsText("eu", "Kaixo")))]
    assert ("eu", "eu") == languages_of(SITE, versions)[-1]
