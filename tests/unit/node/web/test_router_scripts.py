"""The scripts for openNDS routers."""

import hashlib

from node.web.router_scripts import FOLDER, ROUTER_SCRIPTS, router_script, router_script_hashes


def test_each_script_of_the_package_is_given_out_and_no_other_file():
    assert set(ROUTER_SCRIPTS) == {each.name for each in FOLDER.iterdir()}
    for name in ROUTER_SCRIPTS:
        assert router_script(name).startswith(b"#!/bin/sh\n")


def test_the_hashes_are_those_that_sha256sum_prints():
    for name, digest in router_script_hashes().items():
        assert digest == hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
