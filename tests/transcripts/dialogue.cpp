#include "dialogue.h"

#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "support/encoder.h"
#include "support/proto_text.h"
#include "support/websocket_frames.h"

namespace wiretally::test {
namespace {

constexpr int64_t kStartNs = 1'780'000'000'000'000'000;  // 2026-05-28
constexpr int64_t kStepNs = 10'000'000;

struct Options {
  bool content_length = false;
  bool chunked = false;
  size_t chunk_bytes = 0;       // 0: one chunk an event
  std::vector<Coding> codings;  // in the order in which they are applied
  bool flush = false;
  std::string line_end = "\n";
  std::pair<size_t, size_t> lost{0, 0};
  size_t repeat = 1;
  bool escapes = false;
  bool aws_events = false;
  bool unended = false;
  bool grpc = false;
  size_t frame_bytes = 0;  // of gRPC; 0: a message a frame
};

std::string unescape(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') continue;
    if (text[i] != '\\' || i + 1 == text.size()) {
      bytes.push_back(text[i]);
      continue;
    }
    switch (text[++i]) {
      case 'r':
        bytes.push_back('\r');
        break;
      case 'n':
        bytes.push_back('\n');
        break;
      case '0':
        bytes.push_back('\0');
        break;
      case 'x':
        bytes.push_back(static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)));
        i += 2;
        break;
      default:
        bytes.push_back(text[i]);
    }
  }
  return bytes;
}

// The body cut behind each blank line: one piece an event.
std::vector<std::string> split_events(const std::string& body, const std::string& line_end) {
  const std::string border = line_end + line_end;
  std::vector<std::string> events;
  size_t start = 0;
  while (start < body.size()) {
    size_t end = body.find(border, start);
    end = end == body.npos ? body.size() : end + border.size();
    events.push_back(body.substr(start, end - start));
    start = end;
  }
  return events;
}

// What is sent of each piece: nothing of some where the coding holds it back.
std::vector<std::string> coded_pieces(std::vector<std::string> pieces, const Options& options) {
  if (options.codings.empty()) return pieces;
  pieces = encode(options.codings, std::move(pieces), {.flush = options.flush});
  std::erase(pieces, "");
  return pieces;
}

// The variants that `codings` stands for, for the options of one message.
struct Variant {
  const char* name;
  std::vector<Coding> codings;
  bool flush;
};
const std::vector<Variant>& variants() {
  static const std::vector<Variant> kVariants = [] {
    std::vector<Variant> all = {{"identity", {}, false}};
    const std::pair<const char*, std::vector<Coding>> codings[] = {
        {"gzip", {Coding::kGzip}},
        {"zlib", {Coding::kZlib}},
        {"raw-deflate", {Coding::kRawDeflate}},
        {"br", {Coding::kBrotli}},
        {"zstd", {Coding::kZstd}},
        {"gzip+br", {Coding::kGzip, Coding::kBrotli}}};
    for (const bool flush : {false, true}) {
      for (const auto& [name, stack] : codings) all.push_back({name, stack, flush});
    }
    return all;
  }();
  return kVariants;
}

std::string base64(const std::string& bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      text.push_back(i + k <= bytes.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=');
    }
  }
  return text;
}

std::string big_endian(size_t number, size_t bytes) {
  std::string text;
  for (size_t i = bytes; i-- > 0;) text.push_back(static_cast<char>(number >> (8 * i) & 255));
  return text;
}

std::string crc32_of(const std::string& bytes) {
  const auto* const data = reinterpret_cast<const Bytef*>(bytes.data());
  return big_endian(crc32(0, data, static_cast<uInt>(bytes.size())), 4);
}

std::string aws_header(const std::string& name, const std::string& value) {
  return big_endian(name.size(), 1) + name + "\x07" + big_endian(value.size(), 2) + value;
}

std::vector<std::string> aws_messages(const std::string& body) {
  std::vector<std::string> messages;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    std::string kind = line.substr(0, space);
    std::string payload = space == line.npos ? "" : line.substr(space + 1);
    const bool exception = kind.starts_with('!');
    const bool damaged = kind.starts_with('~');
    if (exception || damaged) kind.erase(0, 1);
    if (kind == "chunk") payload = "{\"bytes\":\"" + base64(payload) + "\",\"p\":\"abcd\"}";
    const std::string headers = aws_header(exception ? ":exception-type" : ":event-type", kind) +
                                aws_header(":content-type", "application/json") +
                                aws_header(":message-type", exception ? "exception" : "event");
    std::string message =
        big_endian(headers.size() + payload.size() + 16, 4) + big_endian(headers.size(), 4);
    message += crc32_of(message);
    message += headers + payload;
    message += crc32_of(message);
    if (damaged) message.back() = static_cast<char>(message.back() ^ 1);
    messages.push_back(message);
  }
  return messages;
}

// A body of gRPC and what stands behind it.
TextMessage grpc_form(const std::string& head, const std::string& body, const Options& options) {
  TextMessage message;
  message.head = head;
  message.grpc = true;
  message.unended = options.unended;
  std::istringstream lines(body);
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (line.starts_with("> ")) {
      const size_t colon = line.find(": ");
      message.trailers.emplace_back(line.substr(2, colon - 2), line.substr(colon + 2));
      continue;
    }
    const bool compressed = line.starts_with("gzip: ");
    std::string bytes = ProtoText::message(compressed ? line.substr(6) : line);
    if (compressed) bytes = encode({Coding::kGzip}, Pieces{bytes}, {.flush = false}).front();
    message.pieces.push_back(grpc_message(bytes, compressed));
    joined += message.pieces.back();
  }
  if (options.frame_bytes == 0) return message;
  message.pieces.clear();
  for (size_t i = 0; i < joined.size(); i += options.frame_bytes) {
    message.pieces.push_back(joined.substr(i, options.frame_bytes));
  }
  return message;
}

std::string wire_form(const std::string& text, const Options& options,
                      std::optional<TextMessage>& message) {
  if (options.escapes) return unescape(text);
  const size_t blank = text.find("\n\n");
  std::string head_text = blank == text.npos ? text : text.substr(0, blank + 1);
  std::string body = blank == text.npos ? "" : text.substr(blank + 2);
  if (options.grpc) {
    message = grpc_form(head_text, body, options);
    return "";  // its bytes are those of HTTP/2
  }
  const bool is_stream = head_text.find("text/event-stream") != head_text.npos;
  if (!is_stream && !body.empty() && body.back() == '\n') body.pop_back();
  std::string repeated;
  for (size_t i = 0; i < options.repeat; ++i) repeated += body;
  body.clear();
  for (const char c : repeated) {
    if (c == '\n') {
      body += options.line_end;
    } else {
      body.push_back(c);
    }
  }

  const std::vector<std::string> coded = coded_pieces(
      options.aws_events ? aws_messages(body) : split_events(body, options.line_end), options);
  std::string joined;
  for (const std::string& piece : coded) joined += piece;

  if (!options.unended) {
    message.emplace();
    message->head = head_text;
    for (const std::string& piece : coded) {
      if (!piece.empty()) message->pieces.push_back(piece);
    }
    if (!options.codings.empty()) {
      message->head += "Content-Encoding: " + field_of(options.codings) + "\n";
    }
  }

  std::string head;
  std::istringstream lines(head_text);
  for (std::string line; std::getline(lines, line);) head += line + "\r\n";
  if (!options.codings.empty()) {
    head += "Content-Encoding: " + field_of(options.codings) + "\r\n";
  }
  if (options.content_length) head += "Content-Length: " + std::to_string(joined.size()) + "\r\n";
  if (!options.chunked) return head + "\r\n" + joined;

  std::string wire = head + "Transfer-Encoding: chunked\r\n\r\n";
  std::vector<std::string> chunks = coded;
  if (options.chunk_bytes > 0) {
    chunks.clear();
    for (size_t i = 0; i < joined.size(); i += options.chunk_bytes) {
      chunks.push_back(joined.substr(i, options.chunk_bytes));
    }
  }
  for (const std::string& chunk : chunks) {
    std::ostringstream size;
    size << std::hex << chunk.size();
    wire += size.str() + "\r\n" + chunk + "\r\n";
  }
  return options.unended ? wire : wire + "0\r\n\r\n";
}

Options read_options(std::istringstream& words, const Variant& variant) {
  static const std::map<std::string, Coding> kCodings = {{"gzip", Coding::kGzip},
                                                         {"deflate", Coding::kZlib},
                                                         {"raw-deflate", Coding::kRawDeflate},
                                                         {"br", Coding::kBrotli},
                                                         {"zstd", Coding::kZstd}};
  Options options;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
    if (name == "content-length") {
      options.content_length = true;
    } else if (name == "chunked") {
      options.chunked = true;
      if (!value.empty()) options.chunk_bytes = std::stoul(value);
    } else if (const auto coding = kCodings.find(name); coding != kCodings.end()) {
      options.codings.push_back(coding->second);
      options.flush = options.flush || value == "flush";
    } else if (name == "codings") {
      options.codings = variant.codings;
      options.flush = variant.flush;
    } else if (name == "crlf") {
      options.line_end = "\r\n";
    } else if (name == "cr") {
      options.line_end = "\r";
    } else if (name == "lost") {
      const size_t dash = value.find('-');
      options.lost = {std::stoul(value), std::stoul(value.substr(dash + 1))};
    } else if (name == "repeat") {
      options.repeat = std::stoul(value);
    } else if (name == "unended") {
      options.chunked = options.unended = true;
    } else if (name == "aws-events") {
      options.aws_events = true;
    } else if (name == "grpc") {
      options.grpc = true;
      if (!value.empty()) options.frame_bytes = std::stoul(value);
    } else if (name == "escapes") {
      options.escapes = true;
    } else {
      throw std::runtime_error("unknown option " + word);
    }
  }
  return options;
}

// The compressors of a WebSocket, as the handshake's answer agreed.
struct Sockets {
  std::unique_ptr<MessageDeflater> deflaters[2];

  void shake_hands(const std::string& answer) {
    if (answer.find("permessage-deflate") == answer.npos) return;
    const auto keeps = [&](const char* word) { return answer.find(word) == answer.npos; };
    deflaters[0] = std::make_unique<MessageDeflater>(keeps("client_no_context_takeover"));
    deflaters[1] = std::make_unique<MessageDeflater>(keeps("server_no_context_takeover"));
  }
};

struct FrameOptions {
  uint8_t opcode = 1;
  bool deflate = false;
  bool last_block = false;
  bool ping = false;
  bool bad = false;
  bool escapes = false;
  size_t fragment_bytes = 0;
  unsigned close_code = 0;
  std::pair<size_t, size_t> lost{0, 0};
};

bool is_frame_kind(const std::string& word) {
  return word == "text" || word == "binary" || word == "ping" || word == "pong" ||
         word == "close-frame";
}

FrameOptions read_frame_options(const std::string& kind, std::istringstream& words) {
  FrameOptions options;
  options.opcode = kind == "text"     ? 1
                   : kind == "binary" ? 2
                   : kind == "ping"   ? 9
                   : kind == "pong"   ? 10
                                      : 8;
  if (kind == "close-frame") words >> options.close_code;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
    if (word == "deflate") {
      options.deflate = true;
    } else if (word == "last-block") {
      options.last_block = true;
    } else if (word == "ping") {
      options.ping = true;
    } else if (word == "bad") {
      options.bad = true;
    } else if (word == "escapes") {
      options.escapes = true;
    } else if (word.starts_with("fragments=")) {
      options.fragment_bytes = std::stoul(value);
    } else if (word.starts_with("lost=")) {
      const size_t dash = value.find('-');
      options.lost = {std::stoul(value), std::stoul(value.substr(dash + 1))};
    } else {
      throw std::runtime_error("unknown option " + word);
    }
  }
  return options;
}

std::string one_message(Party party, std::string text, const FrameOptions& options,
                        Sockets& sockets) {
  Frame header{.opcode = options.opcode, .compressed = options.deflate};
  if (party == Party::kClient) header.mask = kMask;
  if (options.opcode == 8) {
    const char code[] = {static_cast<char>(options.close_code >> 8),
                         static_cast<char>(options.close_code)};
    text = std::string(code, options.close_code == 0 ? 0 : sizeof code) + text;
  }
  if (options.deflate) {
    const auto& deflater = sockets.deflaters[static_cast<size_t>(party)];
    if (deflater == nullptr) throw std::runtime_error("no permessage-deflate was agreed");
    text = deflater->message(text, options.last_block);
  }
  if (options.bad) text[0] = '\x07';  // a block of a kind that there is not
  if (options.fragment_bytes == 0) return frame(header, text);
  Frame ping{.opcode = 9, .mask = header.mask};
  std::string wire;
  for (size_t at = 0; at < text.size(); at += options.fragment_bytes) {
    header.final = at + options.fragment_bytes >= text.size();
    wire += frame(header, text.substr(at, options.fragment_bytes));
    if (options.ping && !header.final) wire += frame(ping, "?");
    header.opcode = 0;
    header.compressed = false;
  }
  return wire;
}

// The messages of one section, each a paragraph.
std::string socket_messages(Party party, const std::string& text, const FrameOptions& options,
                            Sockets& sockets) {
  if (options.escapes) return one_message(party, unescape(text), options, sockets);
  std::string wire;
  std::string message;
  std::istringstream lines(text);
  bool any = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) {
      message += line;
      continue;
    }
    if (!message.empty()) wire += one_message(party, message, options, sockets), any = true;
    message.clear();
  }
  if (!message.empty() || !any) wire += one_message(party, message, options, sockets);
  return wire;
}

int64_t read_wait_ns(const std::string& text) {
  const int64_t number = std::stoll(text);
  return text.ends_with("ms") ? number * 1'000'000 : number * 1'000'000'000;
}

Party read_party(const std::string& word) {
  if (word == "client") return Party::kClient;
  if (word == "server") return Party::kServer;
  throw std::runtime_error("expected client or server, found '" + word + "'");
}

// One section: the words of its "--- " line and the text below it.
struct Section {
  int line = 0;
  std::string heading;
  std::string text;
};

std::vector<Section> read_sections(std::istream& input) {
  std::vector<Section> sections;
  int number = 0;
  for (std::string line; std::getline(input, line);) {
    ++number;
    if (line.starts_with("--- ")) {
      sections.push_back({number, line.substr(4), ""});
    } else if (!sections.empty()) {
      sections.back().text += line + "\n";
    } else if (!line.empty() && !line.starts_with("#")) {
      throw std::runtime_error("text before the first section");
    }
  }
  return sections;
}

void read_expected(const Section& section, Dialogue& dialogue) {
  ExpectedRecord record{.line = section.line, .fields = {}};
  std::istringstream lines(section.text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    const size_t colon = line.find(": ");
    if (colon == line.npos) throw std::runtime_error("expected 'field: value', found: " + line);
    record.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  dialogue.records.push_back(std::move(record));
}

Dialogue read_variant(const std::string& path, const Variant& variant) {
  std::ifstream file(path);
  Dialogue dialogue;
  dialogue.name = std::filesystem::path(path).stem().string();
  int64_t now = kStartNs;
  bool expects = false;
  int line = 0;
  Sockets sockets;
  try {
    if (!file) throw std::runtime_error("cannot be read");
    for (const Section& section : read_sections(file)) {
      line = section.line;
      std::istringstream words(section.heading);
      std::string kind;
      words >> kind;
      std::string detail;
      const std::istringstream::pos_type behind_kind = words.tellg();
      if ((kind == "client" || kind == "server") && words >> detail && is_frame_kind(detail)) {
        const Party party = read_party(kind);
        const FrameOptions options = read_frame_options(detail, words);
        std::string bytes = socket_messages(party, section.text, options, sockets);
        if (options.lost.second > bytes.size() || options.lost.first > options.lost.second) {
          throw std::runtime_error("lost= lies outside the " + std::to_string(bytes.size()) +
                                   " bytes of the message");
        }
        dialogue.steps.push_back({.kind = Step::Kind::kBytes,
                                  .party = party,
                                  .time_ns = now += kStepNs,
                                  .bytes = std::move(bytes),
                                  .lost = options.lost});
        continue;
      }
      words.clear();
      if (!detail.empty()) words.seekg(behind_kind);
      if (kind == "client" || kind == "server") {
        const Options options = read_options(words, variant);
        if (kind == "server") sockets.shake_hands(section.text);
        std::optional<TextMessage> message;
        std::string bytes = wire_form(section.text, options, message);
        if (options.grpc) dialogue.http2_only = true;
        if (options.lost.second > bytes.size() || options.lost.first > options.lost.second) {
          throw std::runtime_error("lost= lies outside the " + std::to_string(bytes.size()) +
                                   " bytes of the message");
        }
        dialogue.steps.push_back({.kind = Step::Kind::kBytes,
                                  .party = read_party(kind),
                                  .time_ns = now += kStepNs,
                                  .bytes = std::move(bytes),
                                  .message = std::move(message),
                                  .lost = options.lost});
      } else if (kind == "wait") {
        std::string time;
        words >> time;
        now += read_wait_ns(time);
      } else if (kind == "close" || kind == "reset") {
        std::string party;
        words >> party;
        dialogue.steps.push_back({.kind = kind == "close" ? Step::Kind::kClose : Step::Kind::kReset,
                                  .party = read_party(party),
                                  .time_ns = now += kStepNs,
                                  .bytes = "",
                                  .message = std::nullopt,
                                  .lost = {}});
      } else if (kind == "expect") {
        expects = true;
        std::string nothing;
        if (!(words >> nothing)) read_expected(section, dialogue);
      } else {
        throw std::runtime_error("unknown section " + kind);
      }
    }
    if (!expects) throw std::runtime_error("has no '--- expect'");
  } catch (const std::exception& error) {
    throw std::runtime_error(path + ":" + std::to_string(line) + ": " + error.what());
  }
  return dialogue;
}

bool has_variants(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("--- ") && line.ends_with(" codings")) return true;
  }
  return false;
}

}  // namespace

Dialogue read_dialogue(const std::string& path) { return read_variant(path, variants().front()); }

std::vector<Dialogue> read_variants(const std::string& path) {
  if (!has_variants(path)) return {read_dialogue(path)};
  std::vector<Dialogue> dialogues;
  for (const Variant& variant : variants()) {
    dialogues.push_back(read_variant(path, variant));
    dialogues.back().name += std::string(" ") + variant.name + (variant.flush ? " flushed" : "");
  }
  return dialogues;
}

}  // namespace wiretally::test
