import NVRBase
import NVRModel

extension BackupReader {
    /// S3 profiles with their keys. One that cannot be taken is left out and told.
    mutating func s3Profiles(_ items: [JSONObject]) throws -> [S3Profile] {
        var profiles: [S3Profile] = []
        for (index, item) in items.enumerated() {
            let place = "s3_profiles[\(index)]"
            let id = try id(item, "id", place)
            guard let name = try text(item, "name", place, atMost: 100), !name.isEmpty else { throw wrong(place + ".name", "is no name") }
            do {
                profiles.append(try profile(ID(id), name, item, place))
            } catch let refusal as S3Profile.PrefixRefusal {
                warn("S3 profile \(name) was left out: \(refusal.message)")
            } catch let refusal as NVRError where refusal.kind == .invalid {
                warn("S3 profile \(name) was left out: \(refusal.message)")
            }
        }
        try demandUnique(profiles.map(\.id.rawValue), "s3_profiles")
        return profiles
    }

    private func profile(_ id: ID<S3Profile>, _ name: String, _ item: JSONObject, _ place: String) throws -> S3Profile {
        func needed(_ key: String, atMost length: Int) throws -> String {
            guard let found = try text(item, key, place, atMost: length), !found.isEmpty else {
                throw NVRError(.invalid, "the member \(key) is missing")
            }
            return found
        }
        let endpoint: String
        switch CameraURL.check(try needed("endpoint", atMost: 300), schemes: ["http", "https"], rules: rules.urls) {
        case .success(let checked): endpoint = checked
        case .failure(let refusal): throw NVRError(.invalid, refusal.message)
        }
        let secret = try needed("secret_key", atMost: 256)
        guard secret != SettingKey.mask else { throw NVRError(.invalid, "secret_key is masked") }
        var profile = S3Profile(
            id: id, name: name, endpoint: endpoint, bucket: try needed("bucket", atMost: 63), accessKey: try needed("access_key", atMost: 256),
            secretKey: secret, createdAt: time(item, "created_at") ?? now)
        if let region = try text(item, "region", place, atMost: 64), !region.isEmpty { profile.region = region }
        profile.prefix = try S3Profile.checkedPrefix(try text(item, "prefix", place, atMost: 200) ?? "").get()
        if let addressing = item["addressing"]?.string, S3Profile.addressings.contains(addressing) { profile.addressing = addressing }
        profile.allowsSelfSigned = flag(item, "allow_self_signed", default: false)
        profile.copiesAllCameras = flag(item, "offsite_all_cameras", default: false)
        profile.cameraIDs = Set(ids(item["offsite_camera_ids"]))
        if let sent = item["max_bytes_per_second"],
            case .success(let rate) = FieldCheck.integer(sent, limits: S3Profile.leastRate...100_000_000_000, loc: [])
        {
            profile.maxRate = rate
        }
        if let sent = item["max_size_gb"], case .success(let size) = FieldCheck.number(sent, limits: 0...1_000_000, loc: []) {
            profile.maxSize = size
        }
        try rules.bucket(profile)
        return profile
    }
}
