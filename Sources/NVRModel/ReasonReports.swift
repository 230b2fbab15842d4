extension Reason {
    /// What a comparison of rows and files found.
    static let comparison: [(code: String, sentence: String)] = [
        ("sync_file_missing", "{path}: the row has no file"),
        ("sync_file_short", "{path}: only {bytes} of {expected} bytes are left"),
        ("sync_file_long", "{path}: there are {bytes} bytes, but the row says {expected}"),
        ("sync_file_altered", "{path}: the checksum is another; the file was altered or the disk is failing"),
        ("sync_row_wrong", "{path}: the row tells another camera or time than the file"),
        ("sync_file_unreadable", "{path}: it cannot be read: {detail}"),
        ("sync_file_unlisted", "{path}: footage that is not listed"),
        ("sync_file_locked", "{path}: encrypted with a key that is not there, and not as its row says or without one"),
        ("sync_no_file", "not a file"),
        ("sync_database", "database: {detail}"),
        ("sync_bucket_left", "the bucket {name} was left alone: {reason}"),
        ("sync_bucket_went", "the bucket {name} went while it was compared; what was found there is not told"),
        ("sync_broke_off", "The comparison ended early"),
        ("volume_without_marker", "it has no marker"),
    ]

    /// What a restore of a backup could not take as it was.
    static let restores: [(code: String, sentence: String)] = [
        ("restore_profile_folder", "storage profile {name} keeps its folder"),
        ("restore_profile_left", "storage profile {name} was left out: {reason}"),
        ("restore_bucket_left", "S3 profile {name} was left out: {reason}"),
        ("restore_bucket_kept", "S3 profile {name} keeps its bucket"),
        ("restore_camera_profile", "camera {name}: its storage profile is not available; it records to the default folder"),
        ("restore_camera_archive", "camera {name}: the bucket of its archive is not available; its footage stays where it is"),
        ("restore_camera_default", "camera {name}: {field} has its default now: {reason}"),
        ("restore_camera_masks", "camera {name} was switched off: it has privacy masks, which are not available, and would show what they hid"),
        ("restore_setting_left", "setting {key} was left as it is: {reason}"),
        ("restore_settings_unknown", "{count} settings are not known here and were left out"),
        ("restore_user_keys", "user {name} has {count} API keys; the rest was left out"),
        ("restore_member_missing", "the member {key} is missing"),
        ("restore_secret_masked", "secret_key is masked"),
        ("restore_more", "… and more"),
    ]

    /// Why a viewer has no moving picture of a camera.
    static let viewing: [(code: String, sentence: String)] = [
        ("transcode_off", "transcoding is switched off on this server"),
        ("transcode_full_one", "the server already transcodes a stream and has room for no more"),
        ("transcode_full", "the server already transcodes {count} streams and has room for no more"),
        ("transcode_failed", "the stream cannot be transcoded: {detail}"),
    ]
}
