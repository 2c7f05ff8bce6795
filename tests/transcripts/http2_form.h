// The same dialogue spoken over HTTP/2: each message becomes a HEADERS frame and a DATA frame an
// event (or piece), requests on streams 1, 3, 5 …, answers on the stream of the request they
// answer. A WebSocket is asked for by an extended CONNECT (RFC 8441), and its frames become DATA.
#pragma once

#include <optional>

#include "dialogue.h"

namespace wiretally::test {

// Nothing if a message of the dialogue is neither a whole HTTP/1 message written as text nor frames
// of a WebSocket, or lacks bytes.
std::optional<Dialogue> http2_form(const Dialogue& dialogue);

// All messages of the dialogues on one connection, one after the other, without their closes and
// expected records. Dialogues that have no form over HTTP/2 are left out, WebSockets, and those
// whose answer has the id of an earlier one: they would be twins.
Dialogue http2_connection(const std::vector<Dialogue>& dialogues);

// The dialogues of one call each on one connection, so many calls at once: their requests, then
// their answers' frames in turn, each frame a step of its own.
Dialogue http2_streams(const std::vector<Dialogue>& dialogues, size_t at_once);

}  // namespace wiretally::test
