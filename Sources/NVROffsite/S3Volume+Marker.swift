import Logging
import NIOCore
import NVRBase
import NVRModel
package import NVRRecording
import NVRStore
import S3

/// The marker of a bucket: an object that says whose archive it is, so that an emptied or swapped bucket, or another server under the same
/// address, is not taken for footage that is gone.
extension S3Volume {
    /// Bytes of the marker that are looked at.
    private static let mostMarker = 1024

    package var loss: VolumeLoss? { standing.loss }

    private func marker() async throws -> VolumeMarker {
        VolumeMarker(instance: try await environment.store.settings.values()[Settings.instanceID], volume: Self.id(of: profile.id))
    }

    private func look() async -> VolumeMarker.Look {
        do {
            let bytes = try await bucket.client.get(key(VolumeMarker.fileName), most: Self.mostMarker)
            guard let marker = VolumeMarker(text: String(buffer: bytes)) else { return .unreadable }
            return .found(marker)
        } catch let error as S3Error {
            return error.isMissing ? .bare : error.isBucketGone ? .missing : .failed("\(error)")
        } catch {
            return .failed("it was not asked")
        }
    }

    package func isRightOne() async -> Bool {
        guard !standing.hasJustFailed(now: environment.clock.monotonic()) else { return false }
        do {
            let marker = try await marker()
            let wasMarked = standing.isMarked
            let look = await look()
            // Nobody asks any more: that says nothing about the bucket.
            if Task.isCancelled { return false }
            guard standing.saw(look, expecting: marker, now: environment.clock.monotonic(), at: environment.now) else { return false }
            if !wasMarked { try await environment.store.s3Profiles.setMarked(profile.id, at: environment.now) }
            return true
        } catch {
            environment.logger.error("a bucket cannot be looked at", metadata: ["bucket": "\(name)", "error": "\(error)"])
            return false
        }
    }

    package func mark() async throws {
        if await isRightOne() { return }
        if let failure = standing.failure { throw NVRError(.unavailable, "the bucket \(name) cannot be used: \(failure.detail)") }
        guard !standing.isMarked else { throw NVRError(.unavailable, "the bucket \(name) cannot be used now") }
        let text = try await marker().text
        _ = try await told { try await bucket.client.put(key(VolumeMarker.fileName), ByteBuffer(string: text), contentType: "text/plain") }
        guard await isRightOne() else { throw NVRError(.unavailable, "the bucket \(name) does not give back what it was given") }
        environment.logger.notice("a bucket was given the marker of this installation", metadata: ["bucket": "\(name)"])
    }
}
