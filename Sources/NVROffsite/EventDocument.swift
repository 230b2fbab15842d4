package import NVRModel

/// The small JSON beside the footage of an event: what happened, and which objects show it. Pure.
package enum EventDocument {
    package static func json(
        _ event: Event, cameraName: String?, pieces: [OffsitePiece], isComplete: Bool, at now: WallTime
    ) -> JSONValue {
        [
            "version": 1, "event_id": .integer(event.id.rawValue), "camera_id": .integer(event.cameraID.rawValue),
            "camera_name": JSONValue(cameraName), "kind": .string(event.kind.rawValue), "start": .string(event.start.iso8601),
            "end": JSONValue(event.end?.iso8601), "score": JSONValue(event.score), "complete": .bool(isComplete),
            "written_at": .string(now.iso8601),
            "segments": .array(
                pieces.map { piece in
                    [
                        "key": .string(piece.key), "start": .string(piece.range.start.iso8601), "end": .string(piece.range.end.iso8601),
                        "bytes": .integer(piece.bytes), "segment_id": .integer(piece.segmentID.rawValue),
                    ]
                }),
        ]
    }
}
