extension Reason {
    /// Every sentence that has a code. Codes are part of the API: they stay when the words are changed, and none is used again for
    /// something else. A code may have several sentences that say the same. The catalogues of the interface have a sentence for each
    /// (`said.<code>`); WebUI/build.mjs reads them from here and the other files of this name.
    package static let sentences: [(code: String, sentence: String)] =
        cameras + recording + storage + health + buckets + comparison + restores + viewing + refusals + fields

    /// Why a stream does not come, or comes in another way than wished.
    private static let cameras: [(code: String, sentence: String)] = [
        ("camera_refused", "the camera refuses the connection: is the port right?"),
        ("camera_unreachable", "the camera cannot be reached: {detail}"),
        ("camera_silent", "the camera does not answer"),
        ("camera_timeout", "the camera does not answer ({phase})"),
        ("camera_password", "the camera refuses the user name or password"),
        ("camera_forbidden", "the camera forbids access ({answer})"),
        ("camera_no_stream", "the camera has no such stream (404): is the path of the URL right?"),
        ("camera_busy", "the camera is busy ({answer})"),
        ("camera_answers", "the camera answers {answer}"),
        ("camera_nonsense", "the camera's answer makes no sense: {detail}"),
        ("camera_no_video", "the camera offers no video we can record: {detail}"),
        ("camera_closed", "the camera closed the connection: {detail}"),
        ("camera_tls", "the encrypted connection failed: {detail}"),
        ("camera_ended", "the camera ended the stream"),
        ("camera_quiet", "no video for {seconds} s"),
        ("camera_sessions", "the camera refuses log-ins it accepted before: it may be out of sessions, or its password was changed"),
        ("camera_sessions", "the camera refuses log-ins it accepted before: it may be out of sessions"),
        ("camera_waits_for_main", "waiting until the camera accepts the log-in of the main stream"),
        ("camera_no_udp", "the camera refuses UDP: TCP is used"),
        ("camera_through_libav", "read through libav: our own client could not make sense of the camera"),
        ("source_no_video", "the source offers no H.264, H.265 or MJPEG video"),
        ("source_ended", "the source came to its end"),
        ("source_unreadable", "the source cannot be read"),
        ("source_unreadable_detail", "the source cannot be read: {detail}"),
        ("source_stopped", "reading was stopped"),
        ("address_not_allowed", "the address is not allowed: {address}"),
        ("next_try_later", "{reason}; the next try comes in 5 minutes, or when they are changed"),
        ("next_try_other", "{reason}; trying {reader} next"),
        ("sub_stream", "sub-stream: {reason}"),
        ("own_client", "our own client"),
        ("name_unresolved", "the name {host} does not resolve"),
        ("name_without_address", "the name {host} has no address"),
        ("no_connection", "no connection"),
        ("no_udp_ports", "no pair of free UDP ports"),
        ("connection_reset", "the connection was reset"),
        ("connection_closed", "the connection is closed"),
        ("server_closed", "the server closed the connection"),
        ("server_ended", "the server ended the stream"),
        ("no_answer", "there was no answer"),
        ("answer_broke_off", "the answer broke off"),
        ("phase_connect", "connect"),
        ("phase_first_packet", "first packet"),
        ("phase_media", "media"),
        ("probe_no_picture", "no picture came within {seconds} s"),
        ("probe_stopped", "the look was stopped"),
        ("probe_failed", "Failed to probe stream. Check credentials and URL."),
    ]

    /// Why nothing is recorded.
    private static let recording: [(code: String, sentence: String)] = [
        ("not_recording", "not recording: {reason}"),
        ("status_unreachable", "unreachable: {reason}"),
        ("status_unauthorized", "unauthorized: {reason}"),
        ("recording_off", "recording is switched off"),
        ("camera_off", "the camera is switched off"),
        ("camera_off", "The camera is switched off"),
        ("camera_changed", "settings of the camera were changed"),
        ("camera_connecting", "the camera is being connected"),
        ("camera_starting", "the camera is being started"),
        ("no_bytes", "pictures come, but none reach the disk"),
        ("disk_full", "the disk is full"),
        ("disk_slow", "the disk is too slow"),
        ("recordings_not_mounted", "the folder for recordings is not mounted"),
        ("database_unwritable", "the database cannot be written"),
    ]

    /// Why a storage folder is not used.
    private static let storage: [(code: String, sentence: String)] = [
        ("volume_not_seen", "it was not looked at yet"),
        ("volume_never_used", "it was never used"),
        ("volume_swapped", "the volume of storage profile {profile} is in its place"),
        ("volume_foreign", "it belongs to another installation"),
        ("volume_marker_damaged", "its marker makes no sense"),
        ("volume_marker_missing", "its marker is missing, so it is not mounted"),
        ("volume_folder_missing", "its folder is not there"),
        ("volume_marker_unwritable", "its marker cannot be written: {reason}"),
        ("volume_content_unknown", "what lies in it is not known: {reason}"),
        ("volume_hangs", "it does not answer"),
        ("system_file", "cannot {operation} {path}: {detail}"),
        ("system_missing", "No such file or directory"),
        ("system_permission", "Permission denied"),
        ("system_io", "Input/output error"),
        ("system_full", "No space left on device"),
        ("system_quota", "Disk quota exceeded"),
        ("system_read_only", "Read-only file system"),
        ("system_stale", "Stale file handle"),
        ("system_no_device", "No such device or address"),
        ("system_disconnected", "Transport endpoint is not connected"),
        (
            "sync_too_much",
            "{missing} of {rows} rows have no readable file: that is more than half, so they stay. Is the disk of the recordings there? If the footage is really gone, repair with force."
        ),
    ]

    /// Details of health events.
    private static let health: [(code: String, sentence: String)] = [
        ("clock_ahead", "the clock jumped ahead by {days} days; until it is synchronized nothing is taken for old"),
        ("clock_behind", "the clock is {days} days behind the last run"),
        ("database_gone", "the database was gone"),
        ("database_no_footage", "the database knows no footage"),
        ("database_backup_used", "{reason}; the backup of {time} is used"),
        ("database_backup_used_kept", "{reason}; the backup of {time} is used; the old file is kept as {file}"),
        ("database_begun", "{reason}; there is no good backup, so the database was begun anew"),
        ("database_begun_kept", "{reason}; there is no good backup, so the database was begun anew; the old file is kept as {file}"),
        (
            "database_begun_rows",
            "{reason}; there is no good backup, so the database was begun anew with {rows} rows that could be read out of the old one"
        ),
        (
            "database_begun_rows_kept",
            "{reason}; there is no good backup, so the database was begun anew with {rows} rows that could be read out of the old one; the old file is kept as {file}"
        ),
        ("database_cameras_found", "{reason}; cameras known by their footage alone were added, switched off"),
        ("database_no_backup", "{reason}; there is no backup"),
        ("database_backup_next", "{reason}; the next start puts the backup of {time} in its place"),
        ("database_no_room", "the disk has no room for a backup of the database"),
        ("footage_listed", "{count} files of footage were listed again"),
        (
            "footage_listed_missing",
            "{count} files of footage were listed again; {missing} rows have no file: POST /settings/sync-orphans removes them"
        ),
        ("footage_mendable", "{reason}; POST /settings/sync-orphans mends what can be mended"),
        (
            "footage_keys_missing",
            "footage is encrypted with keys that the server was not given: {keys}. It cannot be shown; nothing of it is deleted for that. Add the keys to the file of footage keys, behind the one for new footage"
        ),
        ("footage_locked", "{count} files of footage are encrypted with a key that the server was not given; nothing of them is deleted"),
        ("files_missing", "{count} files are missing"),
        ("files_resized", "{count} files have another size"),
        ("files_altered", "{count} files were altered"),
        ("files_unreadable", "{count} files cannot be read"),
        ("rows_wrong", "{count} rows tell another camera or time than their files"),
    ]

    /// Why copies into buckets do not come about.
    private static let buckets: [(code: String, sentence: String)] = [
        ("bucket_secret", "the secret key is wrong ({answer})"),
        ("bucket_key", "the access key is not known there ({answer})"),
        ("bucket_forbidden", "the keys do not permit this ({answer})"),
        ("bucket_missing", "there is no such bucket ({answer})"),
        ("bucket_clocks", "the clocks of this machine and of the server differ too much ({answer})"),
        ("bucket_elsewhere", "the bucket is in another region or at another address ({answer})"),
        ("bucket_too_large", "the object is too large for the server ({answer})"),
        ("bucket_full", "the bucket is full ({answer})"),
        ("bucket_refused", "the server refused ({answer})"),
        ("bucket_unreachable", "the server cannot be reached: {detail}"),
        ("bucket_timeout", "the server does not answer ({phase})"),
        ("bucket_nonsense", "the answer of the server makes no sense: {detail}"),
        ("connection_refused", "the connection was refused"),
        ("not_http", "it is not HTTP"),
        ("phase_connecting", "connecting"),
        ("phase_sending", "sending"),
        ("phase_waiting", "waiting for the answer"),
    ]
}
