import NVRModel
import NVROffsite
import NVRStore

extension MetricsText {
    /// What lies in buckets, and how far the copies of events are; by the ids of S3 profiles.
    static func text(_ states: [OffsiteState], archived totals: [VolumeTotal], lost: Set<VolumeID>) -> String {
        guard !states.isEmpty else { return "" }
        var out = Writer()
        func label(_ state: OffsiteState) -> String { "profile=\"\(state.profile.id)\"" }
        func archive(_ name: String, _ help: String, _ value: (VolumeTotal) -> Int64) {
            out.family(
                name, "gauge", help,
                states.map { state in
                    (label(state), Double(totals.reduce(Int64(0)) { $1.volume == VolumeID(state.profile.id) ? $0 + value($1) : $0 }))
                })
        }
        archive("vibenvr_bucket_archive_bytes", "Footage and snapshots that moved into the bucket.") { $0.bytes }
        archive("vibenvr_bucket_archive_objects", "How many objects that is.") { Int64($0.count) }
        out.family(
            "vibenvr_bucket_up", "gauge", "1 unless the bucket, which holds footage, is not there or is another one.",
            states.map { (label($0), lost.contains(VolumeID($0.profile.id)) ? 0 : 1) })
        let copying = states.filter(\.profile.copiesEvents)
        func copies(_ name: String, _ type: String, _ help: String, _ value: (OffsiteState) -> Double) {
            out.family(name, type, help, copying.map { (label($0), value($0)) })
        }
        func sum(_ state: OffsiteState, _ value: (OffsiteSummary) -> Int64) -> Double { Double(state.cameras.reduce(Int64(0)) { $0 + value($1) }) }
        copies("vibenvr_offsite_queued_events", "gauge", "Events that wait to be copied.") { sum($0) { Int64($0.waiting) } }
        copies("vibenvr_offsite_waiting_bytes", "gauge", "Footage that waits to be copied, about.") { sum($0) { $0.waitingBytes } }
        copies("vibenvr_offsite_uploaded_bytes_total", "counter", "Footage of events that was copied.") { sum($0) { $0.bytes } }
        copies("vibenvr_offsite_uploaded_objects_total", "counter", "Pieces of footage that were copied.") { sum($0) { Int64($0.pieces) } }
        copies("vibenvr_offsite_dropped_events_total", "counter", "Events that were not copied.") { state in
            sum(state) { $0.outcomes.reduce(Int64(0)) { $1.key == .copied ? $0 : $0 + Int64($1.value) } }
        }
        copies("vibenvr_offsite_failing", "gauge", "1 while the last try to copy failed.") { $0.activity.phase == .failing ? 1 : 0 }
        return out.text
    }
}
