"""The scenes of the portal, of the admins' pages and of the set-up."""

from tests.browser.admin_scenes import ADMIN_SCENES
from tests.browser.fas_scenes import FAS_SCENES
from tests.browser.gateway_scenes import GATEWAY_SCENES
from tests.browser.scenes import PORTAL_SCENES
from tests.browser.setup_scenes import SETUP_SCENES

SCENES = PORTAL_SCENES + FAS_SCENES + GATEWAY_SCENES + ADMIN_SCENES + SETUP_SCENES
FIRST = {each.page: each for each in reversed(SCENES)}
"""The first state of each page."""
