// WebSocketUpgrade: WebSockets (RFC 6455) on a Hummingbird server with nothing but NIO. Generic: it knows messages and connections,
// and nothing of what they are about.
