#include "websocket_terms.h"

#include <charconv>

#include "field_text.h"

namespace wiretally::http {
namespace {

// The text before `separator`, which is removed from `list` with it.
std::string_view cut_off(std::string_view& list, char separator) {
  const size_t end = list.find(separator);
  const std::string_view item = trimmed(list.substr(0, end));
  list = end == list.npos ? std::string_view() : list.substr(end + 1);
  return item;
}

// RFC 7692 section 7.1.2: 8 to 15, without leading zero; quotes are allowed around it.
bool is_window_bits(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
  return error == std::errc() && end == value.data() + value.size() && value.front() != '0' &&
         bits >= 8 && bits <= 15;
}

void read_parameter(std::string_view parameter, WebSocketTerms& terms) {
  const size_t equals = parameter.find('=');
  const std::string_view name = trimmed(parameter.substr(0, equals));
  const std::string_view value =
      equals == parameter.npos ? std::string_view() : trimmed(parameter.substr(equals + 1));
  if (same_but_for_case(name, "server_no_context_takeover") && value.empty()) {
    terms.keeps_window[static_cast<size_t>(Message::kResponse)] = false;
  } else if (same_but_for_case(name, "client_no_context_takeover") && value.empty()) {
    terms.keeps_window[static_cast<size_t>(Message::kRequest)] = false;
  } else if (same_but_for_case(name, "server_max_window_bits") ||
             same_but_for_case(name, "client_max_window_bits")) {
    if (!is_window_bits(value)) terms.unreadable = true;
  } else {
    terms.unreadable = true;
  }
}

void read_extensions(std::string_view list, WebSocketTerms& terms) {
  while (!list.empty()) {
    std::string_view extension = cut_off(list, ',');
    if (extension.empty()) continue;
    const std::string_view name = cut_off(extension, ';');
    if (!same_but_for_case(name, "permessage-deflate") || terms.deflate) terms.unreadable = true;
    terms.deflate = true;
    while (!extension.empty()) read_parameter(cut_off(extension, ';'), terms);
  }
}

}  // namespace

WebSocketTerms websocket_terms(const Headers& answer) {
  WebSocketTerms terms;
  for (const HeaderField& field : answer.fields) {
    if (same_but_for_case(field.name, "sec-websocket-extensions"))
      read_extensions(field.value, terms);
  }
  if (answer.incomplete) terms.unreadable = true;
  return terms;
}

bool upgrades_to_websocket(const Headers& headers) {
  std::string_view list = headers.find("upgrade").value_or("");
  while (!list.empty()) {
    if (same_but_for_case(cut_off(list, ','), "websocket")) return true;
  }
  return false;
}

}  // namespace wiretally::http
