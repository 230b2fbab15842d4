import Logging
import NIOCore
import NVRBase
package import NVRModel
import NVRRecording
import NVRStore
import S3
import ServiceLifecycle
import Synchronization

/// Keeps one worker running for each S3 profile that copies events, and tells what they do.
package final class OffsiteCopies: Service {
    private struct Running {
        var worker: OffsiteWorker
        var task: Task<Void, Never>
    }

    private let environment: OffsiteEnvironment
    private let running = Mutex<[ID<S3Profile>: Running]>([:])
    private let mounted = Mutex<[ID<S3Profile>: S3Profile]>([:])
    /// Looks at buckets from time to time, while there are any.
    private let looking = Mutex<Task<Void, Never>?>(nil)

    package init(_ environment: OffsiteEnvironment) { self.environment = environment }

    package func run() async throws {
        let changes = environment.store.changes.subscribe()
        await reconcile()
        await cancelWhenGracefulShutdown { [self] in
            for await change in changes {
                switch change {
                case .s3Profile: await reconcile()
                // Which one it was does not matter: each looks for what is new since it looked last.
                case .event: for entry in running.withLock({ Array($0.values) }) { entry.worker.wake() }
                default: break
                }
            }
        }
        looking.withLock { $0 }?.cancel()
        let last = running.withLock { running in
            defer { running = [:] }
            return Array(running.values)
        }
        for entry in last { entry.task.cancel() }
        for entry in last { await entry.task.value }
    }

    /// Makes the workers equal to the profiles. One that was changed gets another worker, which tries at once.
    private func reconcile() async {
        let all: [S3Profile]
        do { all = try await environment.store.s3Profiles.all() } catch {
            return environment.logger.error("the S3 profiles cannot be read; copying goes on as before", metadata: ["error": "\(error)"])
        }
        mount(all)
        look(at: all)
        let profiles = all.filter(\.copiesEvents)
        let ended = running.withLock { running in
            let ended = running.filter { id, entry in !profiles.contains(entry.worker.profile) }
            for id in ended.keys { running.removeValue(forKey: id) }
            return Array(ended.values)
        }
        for entry in ended { entry.task.cancel() }
        // Two workers of one profile would do the same work twice.
        for entry in ended { await entry.task.value }
        for profile in profiles where running.withLock({ $0[profile.id] }) == nil {
            let worker = OffsiteWorker(profile, environment)
            running.withLock { $0[profile.id] = Running(worker: worker, task: Task { await worker.run() }) }
        }
    }

    /// Seconds between looks at buckets that hold footage.
    private static let lookSeconds = 60

    private func look(at profiles: [S3Profile]) {
        looking.withLock { looking in
            guard looking == nil || profiles.isEmpty else { return }
            looking?.cancel()
            looking = nil
            guard !profiles.isEmpty else { return }
            looking = Task { [weak self] in
                // Cancelled when there is no bucket any more, and at the end.
                repeat { await self?.lookAtArchives() } while (try? await Task.sleep(for: .seconds(Self.lookSeconds))) != nil
            }
        }
    }

    /// Looks whether the buckets are there in which footage lies or is to lie, so that people hear of one that is not.
    private func lookAtArchives() async {
        guard let volumes = environment.volumes else { return }
        do {
            let used = try await environment.store.retention.volumes()
                .union(environment.store.cameras.all().compactMap { $0.storage.archiveBucket.map { VolumeID($0) } })
            for (volume, remote) in volumes.remotes where used.contains(volume) { _ = await remote.isRightOne() }
        } catch {
            environment.logger.warning("nobody knows which buckets are to be looked at", metadata: ["error": "\(error)"])
        }
    }

    /// Makes the buckets of all profiles known as volumes: footage may lie there, whatever else is copied there. To be called once before
    /// anything on the volumes is touched; later changes are heard of.
    package func mount() async throws { mount(try await environment.store.s3Profiles.all()) }

    private func mount(_ profiles: [S3Profile]) {
        guard let volumes = environment.volumes else { return }
        let gone = mounted.withLock { mounted in
            let gone = mounted.keys.filter { id in !profiles.contains { $0.id == id } }
            // One that was changed takes the place of what it was.
            mounted = mounted.filter { profiles.contains($0.value) }
            return gone
        }
        for id in gone { volumes.forget(S3Volume.id(of: id)) }
        for profile in profiles where mounted.withLock({ $0[profile.id] }) == nil {
            do {
                volumes.set(S3Volume.id(of: profile.id), .remote(try S3Volume(profile, environment)), name: profile.name, loss: nil)
                mounted.withLock { $0[profile.id] = profile }
            } catch {
                environment.logger.error("a bucket cannot be read", metadata: ["bucket": "\(profile.name)", "error": "\(error)"])
            }
        }
    }

    // MARK: Telling

    /// Every profile with what copying to it does and did.
    package func states() async throws -> [OffsiteState] {
        var states: [OffsiteState] = []
        for profile in try await environment.store.s3Profiles.all() {
            let activity = running.withLock { $0[profile.id]?.worker.activity } ?? OffsiteActivity()
            states.append(
                OffsiteState(profile: profile, activity: activity, cameras: try await environment.store.offsite.summaries(profile.id)))
        }
        return states
    }

    /// Stores, reads and deletes a small object. Throws `unavailable`, in words for a person, when anything of it fails.
    package func test(_ profile: S3Profile) async throws {
        let bucket = try Bucket(profile, environment, retry: .never)
        defer { bucket.client.close() }
        let key = (profile.prefix.isEmpty ? "" : profile.prefix + "/") + "test-\(UInt64.random(in: .min ... .max))"
        do {
            _ = try await bucket.client.put(key, ByteBuffer(string: key), contentType: "text/plain")
            guard String(buffer: try await bucket.client.get(key)) == key else { throw S3Error.malformed("another object came back") }
            try await bucket.client.delete(key)
        } catch let error as S3Error {
            throw NVRError(.unavailable, "\(error)")
        }
    }
}

extension S3Profile {
    /// Throws `invalid` when the profile names no place that a bucket could be at.
    package func demandPlace() throws {
        do throws(S3Location.Refusal) {
            _ = try S3Location(
                endpoint: endpoint, region: region, bucket: bucket, addressing: S3Location.Addressing(rawValue: addressing) ?? .path)
        } catch {
            throw NVRError(.invalid, error.message)
        }
    }
}
