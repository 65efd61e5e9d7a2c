"""Number of pages checked and of faults found: one line at the end of a test run."""

from dataclasses import dataclass, field

from tests.browser.scenes import PageScene


@dataclass
class PagesTally:
    """Counts during the tests."""

    pages: set[str] = field(default_factory=set)
    states: set[str] = field(default_factory=set)
    languages: set[str] = field(default_factory=set)
    screens: int = 0
    judged: int = 0
    faults: int = 0
    figures: dict[str, str] = field(default_factory=dict)

    def saw(self, scene: PageScene, language: str, *, screens: int, judged: int, faults: int) -> None:
        self.pages.add(scene.page)
        self.states.add(scene.name)
        self.languages.add(language)
        self.screens += screens
        self.judged += judged
        self.faults += faults

    def lines(self) -> list[str]:
        counted = (
            f"browser: {len(self.pages)} pages in {len(self.states)} states, "
            f"{len(self.languages)} languages ({' '.join(sorted(self.languages))}), "
            f"{self.screens} screens, {self.judged} of them judged by axe-core: {self.faults} violations"
        )
        return [counted, *(f"browser: {name}: {value}" for name, value in self.figures.items())]


TALLY = PagesTally()
