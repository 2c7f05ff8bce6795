#include "http2_form.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>

#include "support/http2_writer.h"

namespace wiretally::test {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Fields of HTTP/1 alone, RFC 9113 section 8.2.2.
bool is_of_connection(const std::string& name) {
  return name == "connection" || name == "transfer-encoding" || name == "keep-alive" ||
         name == "upgrade" || name == "host";
}

Http2Writer::Fields fields_of(const TextMessage& message) {
  std::istringstream lines(message.head);
  std::string first;
  std::getline(lines, first);
  std::istringstream words(first);
  std::string one;
  std::string two;
  words >> one >> two;
  Http2Writer::Fields rest;
  std::string host;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string name = lower(line.substr(0, colon));
    const std::string value = line.substr(std::min(line.size(), colon + 2));
    if (name == "host") host = value;
    if (!is_of_connection(name)) rest.emplace_back(name, value);
  }
  Http2Writer::Fields fields;
  if (one.starts_with("HTTP/")) {
    fields = {{":status", two}};
  } else {
    const size_t scheme = two.find("://");
    const std::string path = scheme == two.npos ? two : two.substr(two.find('/', scheme + 3));
    fields = {{":method", one}, {":scheme", "https"}, {":authority", host}, {":path", path}};
  }
  fields.insert(fields.end(), rest.begin(), rest.end());
  return fields;
}

bool asks_for_socket(const TextMessage& message) {
  return lower(message.head).find("\nupgrade: websocket") != std::string::npos;
}

bool grants_socket(const TextMessage& message) { return message.head.starts_with("HTTP/1.1 101"); }

// RFC 8441: an extended CONNECT and a 200 instead of a GET and a 101.
Http2Writer::Fields socket_fields_of(const TextMessage& message) {
  Http2Writer::Fields fields = fields_of(message);
  if (grants_socket(message)) {
    fields.front().second = "200";
  } else {
    fields.front().second = "CONNECT";
    fields.insert(fields.begin() + 1, {":protocol", "websocket"});
  }
  std::erase_if(fields, [](const auto& field) {
    return field.first == "sec-websocket-key" || field.first == "sec-websocket-accept";
  });
  return fields;
}

size_t frame_count(const TextMessage& message) {
  return 1 + message.pieces.size() + (message.trailers.empty() ? 0 : 1);
}

// Header blocks must be written in the order in which they are sent.
std::string frame_at(Http2Writer& writer, uint32_t stream, const TextMessage& message, size_t i) {
  const bool open = message.unended || !message.trailers.empty();
  if (i == 0) return writer.headers(stream, fields_of(message), message.pieces.empty() && !open);
  if (i > message.pieces.size()) return writer.headers(stream, message.trailers, true);
  const size_t piece = i - 1;
  // Every third frame is padded.
  const int pad = piece % 3 == 2 ? static_cast<int>(piece % 7) : -1;
  const bool last = i == message.pieces.size() && !open;
  return Http2Writer::data(stream, message.pieces[piece], last, pad);
}

std::string message_of(Http2Writer& writer, uint32_t stream, const TextMessage& message) {
  std::string bytes;
  for (size_t i = 0; i < frame_count(message); ++i) bytes += frame_at(writer, stream, message, i);
  return bytes;
}

}  // namespace

std::optional<Dialogue> http2_form(const Dialogue& dialogue) {
  Dialogue form = dialogue;
  form.name += " over HTTP/2";
  Http2Writer writers[2];
  uint32_t asked = 0;
  uint32_t answered = 0;
  bool begun[2] = {};
  bool socket = false;  // was granted: what follows are its frames
  for (Step& step : form.steps) {
    if (step.kind != Step::Kind::kBytes) continue;
    if (step.lost.second > 0) return std::nullopt;
    if (socket && !step.message.has_value()) {
      step.bytes = Http2Writer::data(2 * asked - 1, step.bytes, false);
      continue;
    }
    if (!step.message.has_value() || socket) return std::nullopt;
    const bool client = step.party == Party::kClient;
    const auto side = static_cast<size_t>(step.party);
    uint32_t& count = client ? asked : answered;
    step.bytes.clear();
    if (!begun[side]) {
      step.bytes = client ? Http2Writer::client_begins() : Http2Writer::server_begins();
    }
    begun[side] = true;
    if (asks_for_socket(*step.message)) {
      step.bytes += writers[side].headers(2 * count + 1, socket_fields_of(*step.message));
      socket = grants_socket(*step.message);
    } else {
      step.bytes += message_of(writers[side], 2 * count + 1, *step.message);
    }
    ++count;
  }
  if (asked == 0) return std::nullopt;
  for (ExpectedRecord& record : form.records) {
    for (auto& [field, value] : record.fields) {
      if (field == "http_version") value = "\"2\"";
      if (socket && field == "status_code") value = "200";
      if (socket && field == "method") value = "\"CONNECT\"";
    }
  }
  return form;
}

namespace {

// The first id that an answer of the dialogue names, or "".
std::string answer_id(const Dialogue& dialogue) {
  constexpr std::string_view kMember = "\"id\":\"";
  for (const Step& step : dialogue.steps) {
    if (step.party != Party::kServer || !step.message.has_value()) continue;
    for (const std::string& piece : step.message->pieces) {
      const size_t at = piece.find(kMember);
      if (at == piece.npos) continue;
      const size_t begin = at + kMember.size();
      return piece.substr(begin, piece.find('"', begin) - begin);
    }
  }
  return "";
}

// Frames whose handshake was not seen are no call that could be found.
bool has_socket(const Dialogue& dialogue) {
  return std::any_of(dialogue.steps.begin(), dialogue.steps.end(), [](const Step& step) {
    return step.message.has_value() && asks_for_socket(*step.message);
  });
}

// A request without an answer ends its connection.
bool every_request_is_answered(const Dialogue& dialogue) {
  const auto unended = [](const Step& step) {
    return step.message.has_value() && step.message->unended;
  };
  if (std::any_of(dialogue.steps.begin(), dialogue.steps.end(), unended)) return false;
  const auto messages_of = [&](Party party) {
    return std::count_if(dialogue.steps.begin(), dialogue.steps.end(), [&](const Step& step) {
      return step.kind == Step::Kind::kBytes && step.party == party;
    });
  };
  return messages_of(Party::kClient) == messages_of(Party::kServer);
}

}  // namespace

Dialogue http2_connection(const std::vector<Dialogue>& dialogues) {
  constexpr int64_t kPauseNs = 1'000'000'000;
  Dialogue joined;
  int64_t now = 0;
  std::set<std::string> ids;
  for (const Dialogue& dialogue : dialogues) {
    const std::string id = answer_id(dialogue);
    if (!every_request_is_answered(dialogue) || has_socket(dialogue)) continue;
    if (!http2_form(dialogue).has_value() || (!id.empty() && !ids.insert(id).second)) continue;
    const int64_t begin = dialogue.steps.front().time_ns;
    if (now == 0) now = begin;
    int64_t last = now;
    for (Step step : dialogue.steps) {
      if (step.kind != Step::Kind::kBytes) continue;
      step.time_ns = last = now + (step.time_ns - begin);
      joined.steps.push_back(std::move(step));
    }
    now = last + kPauseNs;
  }
  joined.name = "all";
  return http2_form(joined).value_or(Dialogue{});
}

namespace {

// A request and its answer, and nothing else but the end.
bool is_one_call(const Dialogue& dialogue) {
  std::vector<Party> parties;
  for (const Step& step : dialogue.steps) {
    if (step.kind == Step::Kind::kBytes) parties.push_back(step.party);
  }
  return parties == std::vector<Party>{Party::kClient, Party::kServer};
}

}  // namespace

Dialogue http2_streams(const std::vector<Dialogue>& dialogues, size_t at_once) {
  constexpr int64_t kPauseNs = 1'000'000'000;
  constexpr int64_t kFrameNs = 1'000'000;
  std::vector<const Dialogue*> calls;
  std::set<std::string> ids;
  for (const Dialogue& dialogue : dialogues) {
    const std::string id = answer_id(dialogue);
    if (!is_one_call(dialogue) || has_socket(dialogue) || !http2_form(dialogue)) continue;
    if (id.empty() || ids.insert(id).second) calls.push_back(&dialogue);
  }
  Dialogue joined;
  joined.name = "all, " + std::to_string(at_once) + " at once";
  Http2Writer client;
  Http2Writer server;
  int64_t now = calls.empty() ? 0 : calls.front()->steps.front().time_ns;
  const auto add = [&](Party party, std::string bytes) -> Step& {
    Step step;
    step.party = party;
    step.time_ns = now += kFrameNs;
    step.bytes = std::move(bytes);
    joined.steps.push_back(std::move(step));
    return joined.steps.back();
  };
  add(Party::kClient, Http2Writer::client_begins());
  add(Party::kServer, Http2Writer::server_begins());
  for (size_t first = 0; first < calls.size(); first += at_once) {
    const size_t end = std::min(first + at_once, calls.size());
    const auto stream = [](size_t call) { return static_cast<uint32_t>(2 * call + 1); };
    for (size_t i = first; i < end; ++i) {
      const TextMessage& request = *calls[i]->steps[0].message;
      add(Party::kClient, message_of(client, stream(i), request)).message = request;
    }
    std::vector<const TextMessage*> answers;
    size_t longest = 0;
    for (size_t i = first; i < end; ++i) {
      const auto is_answer = [](const Step& step) { return step.party == Party::kServer; };
      const auto answer = std::find_if(calls[i]->steps.begin(), calls[i]->steps.end(), is_answer);
      answers.push_back(&*answer->message);
      longest = std::max(longest, frame_count(*answers.back()));
    }
    for (size_t turn = 0; turn < longest; ++turn) {
      for (size_t i = first; i < end; ++i) {
        const TextMessage& answer = *answers[i - first];
        if (turn < frame_count(answer)) {
          add(Party::kServer, frame_at(server, stream(i), answer, turn));
        }
      }
    }
    now += kPauseNs;
  }
  return joined;
}

}  // namespace wiretally::test
