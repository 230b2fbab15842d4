import HTTPTypes
import Hummingbird

/// Paths that clients of the reference know and that do nothing here yet: they say so, with the rights they will have.
struct LaterRoutes: Sendable {
    var routes: [Route] {
        Self.onvif.map { method, pattern in
            Route(method, pattern, .admin) { _ in throw HTTPFailure(.notImplemented, "ONVIF is not available yet; nothing was sent to a camera") }
        }
            + Self.oauth.map { method, pattern in
                Route(method, pattern, .anonymous) { _ in
                    throw HTTPFailure(.notImplemented, "Sign-in with another provider is not available yet; use name and password")
                }
            }
    }

    private static let onvif: [(HTTPRequest.Method, String)] = [
        (.get, "/onvif/scan/stream"), (.post, "/onvif/probe"), (.post, "/onvif/deep-scan"), (.post, "/onvif/ptz/move/{camera_id}"),
        (.post, "/onvif/ptz/stop/{camera_id}"), (.post, "/onvif/ptz/set-home/{camera_id}"), (.post, "/onvif/ptz/goto-home/{camera_id}"),
        (.post, "/onvif/ptz/goto-preset/{camera_id}"), (.get, "/onvif/ptz/presets/{camera_id}"), (.post, "/onvif/ptz/probe-features/{camera_id}"),
    ]

    private static let oauth: [(HTTPRequest.Method, String)] = [
        (.get, "/oauth/login"), (.get, "/oauth/callback"), (.post, "/oauth/unlink"), (.get, "/oauth/logout"),
    ]
}
