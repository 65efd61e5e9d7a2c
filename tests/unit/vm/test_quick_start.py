"""Which modules a machine needs to find its disk, and in which order."""

from tests.vm.quick_start import needed_modules

DEPENDENCIES = """\
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio_ring.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
kernel/fs/mbcache.ko.xz:
"""


def test_a_module_comes_after_those_that_it_needs_and_each_once() -> None:
    order = ["virtio", "virtio_ring", "virtio_pci", "virtio_blk"]
    needed = needed_modules(DEPENDENCIES, ("virtio_pci", "virtio_blk"))
    assert order == [path.rpartition("/")[2].removesuffix(".ko.xz") for path in needed]


def test_what_is_built_into_the_kernel_has_no_file() -> None:
    assert [] == needed_modules(DEPENDENCIES, ("ext4",))
