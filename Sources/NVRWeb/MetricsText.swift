import NVRCameras
import NVRMedia
import NVRModel
import NVRStore

/// The numbers of `/metrics` in the text format of Prometheus (exposition format 0.0.4). Labels are ids: names of cameras are nobody's
/// business on a route without sign-in.
enum MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    static func text(
        _ statistics: Statistics, _ counters: [CameraCounters], _ live: LiveTotals.Reading, _ transcoding: TranscodeRoom.Reading,
        restream: LiveTotals.Reading?, database: CommitCounts, version: String
    ) -> String {
        var out = Writer()
        out.family("vibenvr_build_info", "gauge", "The running version.", [("version=\"\(version)\"", 1)])
        out.single("vibenvr_uptime_seconds", "gauge", "Seconds since the program started.", Double(statistics.uptime))
        out.single("process_cpu_seconds_total", "counter", "CPU time of the process.", statistics.load.cpuSeconds)
        out.single(
            "process_resident_memory_bytes", "gauge", "Resident memory of the process.", statistics.load.residentBytes.map(Double.init))
        out.single(
            "vibenvr_private_memory_bytes", "gauge", "Memory that belongs to the process alone.",
            statistics.load.privateBytes.map(Double.init))
        out.single("process_open_fds", "gauge", "Open file descriptors.", statistics.load.openFiles.map(Double.init))
        out.single("vibenvr_database_bytes", "gauge", "Size of the database.", Double(statistics.numbers.databaseBytes))
        out.single("vibenvr_database_writes_total", "counter", "Writes of the database.", Double(database.writes))
        out.single("vibenvr_database_commits_total", "counter", "Transactions they took; several may share one.", Double(database.commits))
        out.single("vibenvr_database_writes_waiting", "gauge", "Writes of the database that wait for their turn.", Double(database.waiting))
        out.single(
            "vibenvr_storage_total_bytes", "gauge", "Size of the file system of the recordings.",
            (statistics.volume?.totalBytes).map(Double.init))
        out.single("vibenvr_storage_free_bytes", "gauge", "Free space there.", (statistics.volume?.freeBytes).map(Double.init))
        out.family(
            "vibenvr_camera_up", "gauge", "1 while pictures come in.",
            statistics.cameras.map {
                ("camera=\"\($0.id)\"", statistics.health[$0.id]?.status == .connected ? 1 : 0)
            })
        out.family(
            "vibenvr_camera_recording", "gauge", "1 while footage is written.",
            statistics.cameras.map {
                ("camera=\"\($0.id)\"", statistics.health[$0.id]?.isRecording == true ? 1 : 0)
            })
        out.family(
            "vibenvr_recorded_bytes", "gauge", "Footage held.",
            statistics.numbers.movies.sorted { $0.key < $1.key }.map {
                ("camera=\"\($0.key)\"", Double($0.value.bytes))
            })
        out.family(
            "vibenvr_events", "gauge", "Events held.",
            statistics.numbers.eventTotals.map {
                ("camera=\"\($0.cameraID)\",type=\"\($0.medium.rawValue)\",event_type=\"\($0.kind.rawValue)\"", Double($0.count))
            })
        func streams(_ name: String, _ help: String, _ value: (CameraCounters) -> Double) {
            out.family(name, "counter", help, counters.map { ("camera=\"\($0.camera)\",stream=\"\($0.role.rawValue)\"", value($0)) })
        }
        streams("vibenvr_stream_packets_total", "Media packets received.") { Double($0.packets) }
        streams("vibenvr_stream_bytes_total", "Bytes of media received.") { Double($0.bytes) }
        streams("vibenvr_stream_frames_total", "Video frames received.") { Double($0.videoFrames) }
        streams("vibenvr_stream_damaged_frames_total", "Frames damaged by network loss.") { Double($0.damagedFrames) }
        streams("vibenvr_stream_dropped_frames_total", "Frames lost because the disk did not keep up.") { Double($0.dropped) }
        streams("vibenvr_stream_connections_total", "Connections begun.") { Double($0.connections) }
        streams("vibenvr_stream_network_packets_total", "RTP packets received.") { Double($0.networkPackets) }
        streams("vibenvr_stream_network_lost_total", "RTP packets that never came.") { Double($0.networkLost) }
        streams("vibenvr_stream_network_reordered_total", "RTP packets that came late.") { Double($0.networkReordered) }
        streams("vibenvr_stream_network_malformed_total", "RTP packets that made no sense.") { Double($0.networkMalformed) }
        out.family(
            "vibenvr_stream_preroll_bytes", "gauge", "Media kept in memory from before motion.",
            counters.map {
                ("camera=\"\($0.camera)\",stream=\"\($0.role.rawValue)\"", Double($0.preRollBytes))
            })
        out.single("vibenvr_live_viewers", "gauge", "People and programs that watch cameras now.", Double(live.viewers))
        out.single("vibenvr_live_sent_bytes_total", "counter", "Pictures and sound given to viewers.", Double(live.sent))
        out.single("vibenvr_live_lost_frames_total", "counter", "Pictures left out for viewers who did not keep up.", Double(live.lost))
        out.single("vibenvr_transcodes", "gauge", "Streams transcoded for viewers now.", Double(transcoding.running))
        out.single("vibenvr_transcodes_begun_total", "counter", "Streams transcoded for viewers.", Double(transcoding.begun))
        out.single("vibenvr_transcodes_refused_total", "counter", "Streams not transcoded for want of room.", Double(transcoding.refused))
        out.single("vibenvr_transcoded_frames_total", "counter", "Pictures transcoded.", Double(transcoding.pictures))
        out.single(
            "vibenvr_transcode_dropped_frames_total", "counter", "Pictures left out because transcoding did not keep up.",
            Double(transcoding.dropped))
        if let restream {
            out.single("vibenvr_restream_clients", "gauge", "RTSP clients that are played to now.", Double(restream.viewers))
            out.single("vibenvr_restream_sent_bytes_total", "counter", "RTP packets given to RTSP clients.", Double(restream.sent))
            out.single(
                "vibenvr_restream_lost_frames_total", "counter", "Pictures left out for RTSP clients that did not keep up.",
                Double(restream.lost))
        }
        return out.text
    }

    struct Writer {
        var text = ""

        mutating func single(_ name: String, _ type: String, _ help: String, _ value: Double?) {
            if let value { family(name, type, help, [("", value)]) }
        }

        mutating func family(_ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: Double)]) {
            guard !samples.isEmpty else { return }
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for sample in samples {
                let isWhole = sample.value == sample.value.rounded() && abs(sample.value) < 1e15
                let number = isWhole ? String(Int64(sample.value)) : sample.value.description
                text += sample.labels.isEmpty ? "\(name) \(number)\n" : "\(name){\(sample.labels)} \(number)\n"
            }
        }
    }
}
