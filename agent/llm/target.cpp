#include "target.h"

#include <charconv>

namespace wiretally::llm {

Target split_target(std::string_view target) {
  Target split;
  const size_t scheme = target.find("://");
  if (!target.starts_with('/') && scheme != std::string_view::npos) {
    target.remove_prefix(scheme + 3);
    const size_t path = target.find_first_of("/?#");
    split.authority = target.substr(0, path);
    target = path == std::string_view::npos ? std::string_view() : target.substr(path);
  }
  split.path = target.substr(0, target.find_first_of("?#"));
  if (split.path.empty()) split.path = "/";
  return split;
}

Authority split_authority(std::string_view authority) {
  const size_t user = authority.rfind('@');
  if (user != std::string_view::npos) authority.remove_prefix(user + 1);
  Authority split;
  std::string_view rest;
  const size_t bracket = authority.find(']');
  if (authority.starts_with('[') && bracket != std::string_view::npos) {
    split.host = authority.substr(1, bracket - 1);
    rest = authority.substr(bracket + 1);
  } else {
    const size_t colon = authority.find(':');
    split.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) rest = authority.substr(colon);
  }
  if (rest.starts_with(':')) {
    rest.remove_prefix(1);
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
    if (error == std::errc() && end == rest.data() + rest.size()) split.port = port;
  }
  return split;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Text<256> percent_decoded(std::string_view text) {
  char decoded[256];
  size_t size = 0;
  while (!text.empty() && size < sizeof decoded) {
    size_t used = 1;
    char c = text[0];
    if (c == '%' && text.size() >= 3 && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
      c = static_cast<char>(hex_digit(text[1]) << 4 | hex_digit(text[2]));
      used = 3;
    }
    decoded[size++] = c;
    text.remove_prefix(used);
  }
  return Text<256>(std::string_view(decoded, size));
}

}  // namespace

Text<256> query_value(std::string_view target, std::string_view name) {
  target = target.substr(0, target.find('#'));
  size_t begin = target.find('?');
  while (begin != target.npos) {
    const size_t end = target.find('&', ++begin);
    const std::string_view member = target.substr(begin, end - begin);
    if (member.size() > name.size() && member.starts_with(name) && member[name.size()] == '=') {
      return percent_decoded(member.substr(name.size() + 1));
    }
    begin = end;
  }
  return {};
}

Text<256> azure_deployment(std::string_view path) {
  static constexpr std::string_view kMark = "/openai/deployments/";
  const size_t mark = path.find(kMark);
  if (mark == std::string_view::npos) return {};
  std::string_view name = path.substr(mark + kMark.size());
  name = name.substr(0, name.find('/'));
  return percent_decoded(name);
}

Text<256> model_of_path(std::string_view path) {
  const Text<256> deployment = azure_deployment(path);
  if (!deployment.empty()) return deployment;
  const size_t colon = path.rfind(':');
  for (std::string_view mark : {"/models/", "/tunedModels/", "/endpoints/"}) {
    const size_t begin = path.rfind(mark);
    if (begin == path.npos || colon == path.npos || colon < begin) continue;
    return percent_decoded(path.substr(begin + mark.size(), colon - begin - mark.size()));
  }
  if (const size_t of_cloudflare = path.find("/@cf/"); of_cloudflare != path.npos) {
    return percent_decoded(path.substr(of_cloudflare + 1));
  }
  if (const std::string_view model = triton_model(path); !model.empty()) {
    return percent_decoded(model);
  }
  if (const std::string_view endpoint = serving_endpoint(path); !endpoint.empty()) {
    return percent_decoded(endpoint);
  }
  static constexpr std::string_view kBedrock = "/model/";
  const size_t begin = path.find(kBedrock);
  const size_t end = path.rfind('/');
  if (begin == path.npos || end < begin + kBedrock.size()) return {};
  return percent_decoded(path.substr(begin + kBedrock.size(), end - begin - kBedrock.size()));
}

std::string_view google_project(std::string_view path) {
  static constexpr std::string_view kMark = "/projects/";
  const size_t mark = path.find(kMark);
  if (mark == path.npos) return {};
  const std::string_view rest = path.substr(mark + kMark.size());
  const size_t end = rest.find('/');
  const bool of_google = end != rest.npos && rest.substr(end).starts_with("/locations/");
  return of_google ? rest.substr(0, end) : std::string_view();
}

std::string_view triton_model(std::string_view path) {
  static constexpr std::string_view kMark = "/v2/models/";
  const size_t mark = path.find(kMark);
  if (mark == path.npos) return {};
  const std::string_view rest = path.substr(mark + kMark.size());
  const size_t slash = rest.find('/');
  const std::string_view behind = slash == rest.npos ? std::string_view() : rest.substr(slash);
  const bool verb_follows = behind.rfind('/') == 0 || behind.starts_with("/versions/");
  return verb_follows ? rest.substr(0, slash) : std::string_view();
}

std::string_view serving_endpoint(std::string_view path) {
  static constexpr std::string_view kMark = "/serving-endpoints/";
  const size_t mark = path.find(kMark);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (mark == path.npos || !path.ends_with("/invocations")) return {};
  const std::string_view rest = path.substr(mark + kMark.size());
  const size_t slash = rest.find('/');
  return slash == rest.npos ? std::string_view() : rest.substr(0, slash);
}

bool names_bedrock_model(std::string_view path) {
  const size_t begin = path.find("/model/");
  if (begin == path.npos) return false;
  const std::string_view rest = path.substr(begin);
  return rest.find('.') != rest.npos || rest.find("arn:") != rest.npos ||
         rest.find("arn%3A") != rest.npos || rest.find("arn%3a") != rest.npos;
}

}  // namespace wiretally::llm
