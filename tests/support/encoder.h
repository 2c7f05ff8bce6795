// Encodes bodies as servers do: whole, or flushed behind each piece so that the client can read it
// at once.
#pragma once

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace wiretally::test {

enum class Coding { kGzip, kZlib, kRawDeflate, kBrotli, kZstd };

// The token in Content-Encoding.
inline const char* token_of(Coding coding) {
  switch (coding) {
    case Coding::kGzip:
      return "gzip";
    case Coding::kZlib:
    case Coding::kRawDeflate:
      return "deflate";
    case Coding::kBrotli:
      return "br";
    case Coding::kZstd:
      return "zstd";
  }
  return "";
}

struct EncoderOptions {
  bool flush = false;         // behind each piece
  int window_bits = 0;        // br and zstd; 0: the library's choice
  bool large_window = false;  // br
  bool checksum = false;      // zstd
};

// What to encode: `pieces` are consecutive parts of one body. One string of output for each of
// them, the last one with the coding's end.
using Pieces = std::vector<std::string>;

namespace encoder {

inline void require(bool holds) {
  if (!holds) throw std::runtime_error("an encoder failed");
}

inline Pieces deflated(const Pieces& pieces, int window_bits, bool flush) {
  z_stream stream{};
  require(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Pieces coded;
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::string out;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(pieces[i].data()));
    stream.avail_in = static_cast<uInt>(pieces[i].size());
    do {
      char buffer[4096];
      stream.next_out = reinterpret_cast<Bytef*>(buffer);
      stream.avail_out = sizeof buffer;
      deflate(&stream, i + 1 == pieces.size() ? Z_FINISH : flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      out.append(buffer, sizeof buffer - stream.avail_out);
    } while (stream.avail_out == 0);
    coded.push_back(std::move(out));
  }
  deflateEnd(&stream);
  return coded;
}

inline Pieces brotli(const Pieces& pieces, const EncoderOptions& options) {
  BrotliEncoderState* state = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
  require(state != nullptr);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, 5);
  if (options.large_window) BrotliEncoderSetParameter(state, BROTLI_PARAM_LARGE_WINDOW, 1);
  if (options.window_bits != 0) {
    BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN,
                              static_cast<uint32_t>(options.window_bits));
  }
  Pieces coded;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    const BrotliEncoderOperation operation = last            ? BROTLI_OPERATION_FINISH
                                             : options.flush ? BROTLI_OPERATION_FLUSH
                                                             : BROTLI_OPERATION_PROCESS;
    std::string out;
    const uint8_t* in = reinterpret_cast<const uint8_t*>(pieces[i].data());
    size_t left = pieces[i].size();
    bool more = true;
    while (more) {
      uint8_t buffer[4096];
      uint8_t* next = buffer;
      size_t room = sizeof buffer;
      require(BrotliEncoderCompressStream(state, operation, &left, &in, &room, &next, nullptr) ==
              BROTLI_TRUE);
      out.append(reinterpret_cast<const char*>(buffer), sizeof buffer - room);
      more = left > 0 || BrotliEncoderHasMoreOutput(state) == BROTLI_TRUE ||
             (last && BrotliEncoderIsFinished(state) == BROTLI_FALSE);
    }
    coded.push_back(std::move(out));
  }
  BrotliEncoderDestroyInstance(state);
  return coded;
}

inline Pieces zstd(const Pieces& pieces, const EncoderOptions& options) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  require(context != nullptr);
  if (options.window_bits != 0) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, options.window_bits);
  }
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
  Pieces coded;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    const ZSTD_EndDirective directive = last            ? ZSTD_e_end
                                        : options.flush ? ZSTD_e_flush
                                                        : ZSTD_e_continue;
    std::string out;
    ZSTD_inBuffer in{pieces[i].data(), pieces[i].size(), 0};
    size_t left = 1;
    do {
      char buffer[4096];
      ZSTD_outBuffer room{buffer, sizeof buffer, 0};
      left = ZSTD_compressStream2(context, &room, &in, directive);
      require(ZSTD_isError(left) == 0);
      out.append(buffer, room.pos);
    } while (in.pos < in.size || (directive != ZSTD_e_continue && left > 0));
    coded.push_back(std::move(out));
  }
  ZSTD_freeCCtx(context);
  return coded;
}

}  // namespace encoder

inline Pieces encode(Coding coding, const Pieces& pieces, const EncoderOptions& options = {}) {
  switch (coding) {
    case Coding::kGzip:
      return encoder::deflated(pieces, 15 + 16, options.flush);
    case Coding::kZlib:
      return encoder::deflated(pieces, 15, options.flush);
    case Coding::kRawDeflate:
      return encoder::deflated(pieces, -15, options.flush);
    case Coding::kBrotli:
      return encoder::brotli(pieces, options);
    case Coding::kZstd:
      return encoder::zstd(pieces, options);
  }
  return {};
}

// The codings one upon the other, in the order in which Content-Encoding names them.
inline Pieces encode(const std::vector<Coding>& codings, Pieces pieces,
                     const EncoderOptions& options = {}) {
  for (const Coding coding : codings) pieces = encode(coding, pieces, options);
  return pieces;
}

inline std::string encode(Coding coding, std::string_view text,
                          const EncoderOptions& options = {}) {
  return encode(coding, Pieces{std::string(text)}, options)[0];
}

// The value of Content-Encoding; empty for none.
inline std::string field_of(const std::vector<Coding>& codings) {
  std::string field;
  for (const Coding coding : codings) {
    field += std::string(field.empty() ? "" : ", ") + token_of(coding);
  }
  return field;
}

}  // namespace wiretally::test
