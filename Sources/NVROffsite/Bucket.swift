import NVRBase
import NVRModel
import S3
import Synchronization

/// The bucket of a profile: a client that keeps to the profile's limit of bytes a second.
struct Bucket: Sendable {
    /// Bytes of a part of an upload, and of an object that is stored in one go at most. S3 wants 5 MiB at least of all parts but the last.
    static let partBytes: Int64 = 6 << 20

    let client: S3Client

    /// Throws `invalid` for a profile that names no bucket.
    init(_ profile: S3Profile, _ environment: OffsiteEnvironment, retry: S3Retry) throws {
        let location: S3Location
        do throws(S3Location.Refusal) {
            location = try S3Location(
                endpoint: profile.endpoint, region: profile.region, bucket: profile.bucket,
                addressing: S3Location.Addressing(rawValue: profile.addressing) ?? .path)
        } catch {
            throw NVRError(.invalid, error.message)
        }
        var configuration = S3Client.Configuration(
            location: location, credentials: S3Credentials(accessKey: profile.accessKey, secretKey: profile.secretKey),
            tls: location.isTLS ? try S3Client.tlsContext(verifies: !profile.allowsSelfSigned) : nil,
            now: { environment.clock.wall() / 1_000_000 },
            resolve: { host, port in try await environment.names.run { try environment.addresses(host, port) } })
        configuration.retry = retry
        configuration.userAgent = environment.userAgent
        if profile.maxRate > 0 {
            let pacer = Pacer(rate: profile.maxRate, clock: environment.clock)
            configuration.pace = { try await pacer.wait(for: $0) }
        }
        client = S3Client(configuration, on: environment.group)
    }

    private final class Pacer: Sendable {
        private let rate: Mutex<ByteRate>
        private let clock: any NVRClock

        init(rate: Int, clock: any NVRClock) {
            self.rate = Mutex(ByteRate(rate))
            self.clock = clock
        }

        func wait(for bytes: Int) async throws {
            let wait = rate.withLock { $0.take(bytes, now: clock.monotonic()) }
            if wait > 0 { try await Task.sleep(for: .microseconds(wait)) }
        }
    }
}
