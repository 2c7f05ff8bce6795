"""Content codings as a server applies them, flushed behind each part: gzip and deflate by zlib, br and zstd by the
shared libraries that curl and the agent stand on, so that no Python package is needed."""

import ctypes
import zlib

ROOM = 1 << 16


class Deflate:
    def __init__(self, window_bits):
        self.coder = zlib.compressobj(wbits=window_bits)

    def part(self, data):
        return self.coder.compress(data) + self.coder.flush(zlib.Z_SYNC_FLUSH)

    def end(self):
        return self.coder.flush()


class Brotli:
    FLUSH, FINISH = 1, 2

    def __init__(self):
        self.library = ctypes.CDLL("libbrotlienc.so.1")
        self.library.BrotliEncoderCreateInstance.restype = ctypes.c_void_p
        self.state = ctypes.c_void_p(self.library.BrotliEncoderCreateInstance(None, None, None))

    def __del__(self):
        self.library.BrotliEncoderDestroyInstance(self.state)

    def run(self, operation, data):
        source = ctypes.create_string_buffer(data, max(1, len(data)))
        next_in, left = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_size_t(len(data))
        out = b""
        while True:
            room = ctypes.create_string_buffer(ROOM)
            next_out, free = ctypes.c_void_p(ctypes.addressof(room)), ctypes.c_size_t(ROOM)
            if not self.library.BrotliEncoderCompressStream(
                    self.state, operation, ctypes.byref(left), ctypes.byref(next_in), ctypes.byref(free),
                    ctypes.byref(next_out), None):
                raise RuntimeError("brotli failed")
            out += room.raw[:ROOM - free.value]
            if left.value == 0 and not self.library.BrotliEncoderHasMoreOutput(self.state):
                return out

    def part(self, data):
        return self.run(self.FLUSH, data)

    def end(self):
        return self.run(self.FINISH, b"")


class Zstd:
    FLUSH, END = 1, 2

    class Buffer(ctypes.Structure):
        _fields_ = [("address", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]

    def __init__(self):
        self.library = ctypes.CDLL("libzstd.so.1")
        self.library.ZSTD_createCCtx.restype = ctypes.c_void_p
        self.library.ZSTD_compressStream2.restype = ctypes.c_size_t
        self.context = ctypes.c_void_p(self.library.ZSTD_createCCtx())

    def __del__(self):
        self.library.ZSTD_freeCCtx(self.context)

    def run(self, directive, data):
        source = ctypes.create_string_buffer(data, max(1, len(data)))
        given = self.Buffer(ctypes.addressof(source), len(data), 0)
        out = b""
        while True:
            room = ctypes.create_string_buffer(ROOM)
            taken = self.Buffer(ctypes.addressof(room), ROOM, 0)
            left = self.library.ZSTD_compressStream2(self.context, ctypes.byref(taken), ctypes.byref(given), directive)
            if self.library.ZSTD_isError(ctypes.c_size_t(left)):
                raise RuntimeError("zstd failed")
            out += room.raw[:taken.position]
            if left == 0:
                return out

    def part(self, data):
        return self.run(self.FLUSH, data)

    def end(self):
        return self.run(self.END, b"")


CODERS = {"gzip": lambda: Deflate(31), "deflate": lambda: Deflate(15), "br": Brotli, "zstd": Zstd}


def whole(coding, data):
    coder = CODERS[coding]()
    return coder.part(data) + coder.end()
