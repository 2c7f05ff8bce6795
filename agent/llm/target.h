// Request targets and authorities, RFC 9112 section 3.2 and RFC 3986 section 3.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wiretally/bytes.h"

namespace wiretally::llm {

struct Target {
  std::string_view authority;  // of an absolute-form target, else empty
  std::string_view path;       // without query and fragment; "/" if there is none
};
Target split_target(std::string_view target);

struct Authority {
  std::string_view host;  // without brackets
  std::optional<uint16_t> port;
};
Authority split_authority(std::string_view authority);

// The value of a member of the target's query, percent-decoded; empty if there is none.
Text<256> query_value(std::string_view target, std::string_view name);

// The model that a path names, percent-decoded: an Azure deployment, …/models/{model}:verb (Gemini,
// Vertex), …/endpoints/{id}:verb, /model/{id}/verb (Bedrock; may be an ARN), an endpoint of
// Databricks; empty if there is none.
Text<256> model_of_path(std::string_view path);

// Whether …/model/{id}/… holds an id of Bedrock: maker.model, or an ARN.
bool names_bedrock_model(std::string_view path);

// The model of a Triton path /v2/models/{model}[/versions/{version}]/verb; empty if it is none.
std::string_view triton_model(std::string_view path);

// The endpoint of a Databricks path /serving-endpoints/{endpoint}/…/invocations, as it is written;
// empty if it is none.
std::string_view serving_endpoint(std::string_view path);

// The project of a Vertex path …/projects/{project}/locations/…; empty if it is none.
std::string_view google_project(std::string_view path);

// The deployment of an Azure path …/openai/deployments/{deployment}/…, percent-decoded; empty if
// the path has none.
Text<256> azure_deployment(std::string_view path);

}  // namespace wiretally::llm
