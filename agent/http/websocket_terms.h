// What a WebSocket's handshake settles: RFC 6455 section 4, RFC 7692 section 7.1.
#pragma once

#include "wiretally/http_exchange.h"

namespace wiretally::http {

struct WebSocketTerms {
  bool deflate = false;  // permessage-deflate was agreed
  // The window outlives a message ("context takeover"), by Message: the client's, the server's.
  bool keeps_window[2] = {true, true};
  // Another extension was agreed, or its parameters make no sense: what payload means is unknown.
  bool unreadable = false;
};

// By the server's answer, which rules: window sizes are of no concern, the largest reads them all.
WebSocketTerms websocket_terms(const Headers& answer);

// `Upgrade` names websocket.
bool upgrades_to_websocket(const Headers& headers);

}  // namespace wiretally::http
