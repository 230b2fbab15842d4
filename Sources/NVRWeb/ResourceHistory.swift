package import NVRModel
import Synchronization

/// The load of the last day, one reading a minute: what `/stats/resources-history` draws.
package final class ResourceHistory: Sendable {
    /// A day of minutes.
    package static let capacity = 1440
    /// Seconds between two readings.
    package static let interval = 60

    private struct Sample {
        let time: WallTime
        let reading: HostLoad.Reading
    }

    private let samples = Mutex<[Sample]>([])

    package init() {}

    /// Adds a reading and forgets the oldest past the capacity.
    package func add(_ reading: HostLoad.Reading, at time: WallTime) {
        samples.withLock { samples in
            if samples.count >= Self.capacity { samples.removeFirst(samples.count - Self.capacity + 1) }
            samples.append(Sample(time: time, reading: reading))
        }
    }

    /// Oldest first; null where a value is not known or a thing does not exist here.
    package var json: JSONValue {
        .array(
            samples.withLock { $0 }.map { sample in
                let reading = sample.reading
                return [
                    "timestamp": .string(sample.time.iso8601), "cpu_percent": Statistics.rounded(reading.cpuPercent, 1),
                    "memory_mb": Statistics.megabytes(reading.residentBytes), "backend_cpu": Statistics.rounded(reading.cpuPercent, 1),
                    "engine_cpu": nil, "backend_mem_mb": Statistics.megabytes(reading.residentBytes), "engine_mem_mb": nil,
                    "network_recv_mbps": Statistics.rounded(reading.receivedMbps, 2),
                    "network_sent_mbps": Statistics.rounded(reading.sentMbps, 2),
                    "host_cpu_percent": Statistics.rounded(reading.hostCPUPercent, 1),
                    "host_memory_mb": Statistics.megabytes(reading.hostUsedBytes),
                ]
            })
    }
}
