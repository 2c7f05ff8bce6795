// Every limit of the agent, in one place. docs/limits.md says of each what happens beyond it, where
// that is counted and which test reaches it; a test holds the two together. What a lane may take at
// worst follows from these (agent/app/worst_case.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace wiretally {

struct Limits {
  // capture
  size_t packet_tunnel_depth_max = 4;  // tunnels inside one another
  size_t capture_packet_bytes_max =
      256 * 1024;  // a record longer than this in a file is corrupt (GRO: 64 KiB + headers)
  size_t packet_wire_bytes_max =
      1 << 20;  // a packet without a length of its own is no longer (BIG TCP: 512 KiB + headers)
  size_t fragment_packets_max =
      512;  // IP packets being put together: some ms of a fast mirror port
  size_t fragment_bytes_total = 4 << 20;   // theirs; most are one tunnel header above 1 500 bytes
  size_t capture_interfaces_max = 65'536;  // of one pcapng section; more is corrupt
  size_t probed_connections_max = 65'536;  // the reader's, least recently active first out
  size_t probed_libraries_max = 1'024;     // each holds file descriptors
  static constexpr size_t files_known_max = 65'536;  // looked at for TLS; forgotten all at once

  // stream
  // Of each source. Evicted by memory pressure only: those that are over, those that are no calls,
  // then the least recently active.
  size_t flows_max = 32'768;
  // One direction's bytes held while a hole is open: the window that Linux advertises by default
  // (tcp_rmem) is 6 MiB and more, and reordering may be as deep.
  size_t reorder_bytes_per_direction = 16 << 20;
  size_t reorder_bytes_total = 64 << 20;           // all directions' together
  size_t reorder_segments_per_direction = 12'288;  // 16 MiB of full segments; pieces held (one-byte
                                                   // segments cost more than their bytes)

  // http
  size_t http_head_bytes_max = 256 * 1024;  // one message head; headers beyond are a named drop
  // Memory of all heads that are split over events, least recently fed first out: a head of the
  // largest size must not keep others out.
  size_t http_head_bytes_total = 16 << 20;
  size_t http_headers_max = 256;  // fields of one head that are kept
  size_t http_pipeline_max = 64;  // requests without an answer on one connection
  // Open exchanges of all connections, least recently active first out.
  size_t http_exchanges_max = 65'536;
  size_t http_hellos_max = 16'384;  // TLS hellos that have begun and not ended
  size_t h2_streams_max = 1024;     // open on one connection (servers allow 100 to 250 at once)
  size_t h2_pushed_streams_max =
      64;  // of them pushed: a flood of promises must not use up the rest
  size_t h2_header_block_bytes_max = 256 * 1024;  // one header block as coded, CONTINUATION and all
  size_t hpack_table_bytes_max = 65'536;          // what the largest browsers and proxies ask for
  // All HPACK tables of a lane together, and the decoded fields of header blocks that are open,
  // least recently used first out: the tables of some 5 000 busy connections, both directions.
  size_t hpack_bytes_max = 64 << 20;

  // http, content codings. A gzip body takes 39 KiB, a br or zstd body its window, up to a quarter
  // of it, and 20 (br) or up to 550 KiB (zstd).
  size_t decoder_bytes_max = 128 << 20;      // all decoders together, as their libraries allocate
  size_t decoder_idle_bytes_max = 16 << 20;  // of these, kept for the next bodies
  // Larger windows than HTTP's: servers use up to 4 MiB with br; RFC 9659 allows 8 MiB with zstd.
  size_t brotli_window_bytes_max = 4 << 20;
  size_t zstd_window_bytes_max = 8 << 20;
  // Decoded ÷ coded bytes, once past decode_ratio_free_bytes. One repeated word is 1030:1 in gzip,
  // the most that deflate can do: the stop is well below, and far above any text that says
  // something.
  uint64_t decode_ratio_max = 500;
  uint64_t decode_ratio_free_bytes = 1 << 20;           // up to here any ratio is allowed
  uint64_t decoded_body_bytes_max = uint64_t{1} << 30;  // of one body, whatever its ratio
  static constexpr size_t content_codings_max = 4;      // of one body, one upon the other

  // llm
  static constexpr size_t json_depth_max = 256;       // how deep brackets are told apart
  static constexpr size_t json_text_bytes_max = 256;  // a kept string is cut here, with a flag
  static constexpr size_t tool_calls_max = 16;        // names kept of one answer
  size_t open_calls_max = 12'288;       // in one lane, least recently active first out; 11 KiB each
  size_t undecided_answers_max = 512;   // answers without request, read for every dialect at once
  size_t answers_read_twice_max = 256;  // at paths that two dialects share, each read as both
  size_t batch_downloads_max = 64;      // results of batches that are being read
  size_t rpc_inflaters_max = 64;  // in one lane, compressed messages of gRPC that are open; 48 KiB
  size_t json_tails_max = 256;    // in one lane, answers in JSON read on behind a gap; 2.5 KiB
  size_t socket_turns_max = 16;   // turns that have not ended, on one WebSocket

  // ledger
  size_t held_records_max = 32'768;         // finished calls that wait for a twin
  size_t held_record_bytes_max = 32 << 20;  // of all of them: few are as wide as a record may be
  static constexpr size_t sightings_per_call_max = 16;  // both ends, under a few address pairs
  size_t remembered_ids_max = 262'144;                  // counted response ids, against late twins
  size_t estimated_models_max = 1'024;                  // learnt from streams that report
  int64_t hold_min_ns = 500'000'000;    // a finished call waits at least this long for a twin
  int64_t hold_max_ns = 5'000'000'000;  // and never longer than this
  int64_t remembered_ids_ns = 24LL * 3600 * 1'000'000'000;
  // A background call waits so long for its result to be fetched, and the sum of a batch for its
  // lines.
  int64_t background_wait_ns = 2LL * 3600 * 1'000'000'000;
  int64_t batch_wait_ns = 600LL * 1'000'000'000;
  size_t set_aside_max = 4'096;  // of both together
  // A repeated call begins at most so long after the attempt that failed.
  int64_t attempt_wait_ns = 120LL * 1'000'000'000;
  size_t failed_attempts_max = 8'192;  // that a call may repeat
  // A TLS connection waits so long for its first decoded request before it counts as opaque: pooled
  // connections are made ahead of their use.
  int64_t connection_wait_ns = 30'000'000'000;
  int64_t connection_skew_ns =
      1'000'000'000;                    // the clocks of packets and probes may differ by this
  size_t held_connections_max = 8'192;  // of each kind; beyond, the oldest waits no longer

  // sinks
  size_t series_per_family_max = 5'000;
  size_t subject_series_max = 2'000;
  size_t tool_series_max = 200;
  size_t label_bytes_max = 128;
  // The text of one scrape, and with it what all series together may weigh.
  size_t exposition_bytes_max = 20 << 20;
  static constexpr size_t scrapes_max = 4;  // at a time; further ones wait
  size_t line_queue_bytes_max = 16 << 20;   // lines that wait for a slow disk

  // identity
  size_t processes_max = 4'096;  // first seen first out; those that still run are read again

  // app
  size_t usage_channel_bytes = 16 << 20;  // messages from a lane to the ledger, a power of two
};

}  // namespace wiretally
