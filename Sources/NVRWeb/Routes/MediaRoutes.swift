import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// Footage and pictures by path. Only what the database lists is served, so there is no path that leads outside.
struct MediaRoutes: Sendable {
    let store: Store
    let media: RecordedMedia
    let responder: MediaResponder
    let clock: any NVRClock

    var routes: [Route] { [Route(.get, "/media/{path...}", .media, file)] }

    private func file(_ call: Call) async throws -> Response {
        guard call.isPathSafe else { throw HTTPFailure.accessDenied }
        let caller = try call.requireCaller()
        let elements = (call.parameters["path"] ?? "").split(separator: "/").map(String.init)
        guard elements.count > 1, let camera = MediaPath.camera(elements[0], among: try await store.cameras.all()),
            Access.allows(caller, .replay, camera: camera)
        else {
            throw HTTPFailure.fileNotFound
        }
        let isInline = try call.flag("inline")
        let content = try await content(of: [camera.description] + elements.dropFirst())
        return responder.response(to: call, with: content, of: [camera], disposition: isInline ? .inline : .none, clock: clock)
    }

    private func content(of elements: [String]) async throws -> MediaContent {
        do {
            return try await media.file(elements.joined(separator: "/"))
        } catch let error as NVRError where error.kind == .notFound {
            guard let id = MediaPath.event(in: elements), let event = try await store.events.get(id),
                MediaPath.url(of: event) == MediaPath.url(elements.joined(separator: "/")), event.medium == .video
            else { throw HTTPFailure.fileNotFound }
            do { return try await media.video(event) } catch let error as NVRError where error.kind == .notFound {
                throw HTTPFailure.fileNotFound
            }
        }
    }
}
