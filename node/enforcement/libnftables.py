"""libnftables through ctypes, in this process: no child process for the firewall."""

import ctypes

from node.errors import Fatal, KernelRefused

LIBRARY = "libnftables.so.1"
"""The soname, which the dynamic loader finds; ctypes.util.find_library would run ldconfig or a compiler."""
JSON, NUMERIC_ALL = 1 << 4, (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10)


class Nftables:
    """One libnftables context. Not thread-safe; every call releases the GIL."""

    def __init__(self) -> None:
        try:
            lib = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise Fatal("libnftables is not installed", "apt-get install libnftables1") from error
        lib.nft_ctx_new.restype = ctypes.c_void_p
        lib.nft_ctx_new.argtypes = [ctypes.c_uint32]
        for function in (lib.nft_ctx_get_output_buffer, lib.nft_ctx_get_error_buffer):
            function.restype = ctypes.c_char_p
            function.argtypes = [ctypes.c_void_p]
        for function in (lib.nft_ctx_buffer_output, lib.nft_ctx_buffer_error, lib.nft_ctx_free):
            function.argtypes = [ctypes.c_void_p]
        lib.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._lib = lib
        self._context = lib.nft_ctx_new(0)
        lib.nft_ctx_buffer_output(self._context)
        lib.nft_ctx_buffer_error(self._context)
        lib.nft_ctx_output_set_flags(self._context, JSON | NUMERIC_ALL)

    def run(self, commands: str) -> str:
        """Run commands as one transaction and return nft's output. Raises KernelRefused; then nothing changed."""
        failed = self._lib.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._lib.nft_ctx_get_output_buffer(self._context) or b""
        problem: bytes = self._lib.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            first = problem.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise KernelRefused(
                f"nftables refused: {first[0][:300]}", "run 'procomu doctor' to see what is missing"
            )
        return output.decode()

    def close(self) -> None:
        if self._context:
            self._lib.nft_ctx_free(self._context)
            self._context = None
