// Databricks' model serving: POST /serving-endpoints/{name}/invocations, also with
// /served-models/{model} between. The endpoint stands for the model; what it runs may be anything.
// A model that talks answers with a chat completion, or its chunks as SSE; one that embeds with a
// list of embeddings; models of the customer's own with what they like (`predictions`), which is no
// call. So only a chat in the request, or the answer, proves anything.
#include "dialect_table.h"
#include "target.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kPathTails[] = {"/invocations"};

bool path_fits(std::string_view path) { return !serving_endpoint(path).empty(); }

}  // namespace

const DialectSpec& databricks() {
  static const DialectSpec spec = [] {
    DialectSpec chat = openai_chat();
    chat.path_tails = kPathTails;
    chat.path_fits = path_fits;
    chat.heads_prove = false;
    chat.joins = false;
    chat.other_by_answer = openai_embeddings;
    return chat;
  }();
  return spec;
}

}  // namespace wiretally::llm
