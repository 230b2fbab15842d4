/// Every key of the reference's answer to `POST /cameras`, in its order, with the defaults it publishes; ours differ on purpose in
/// `movie_passthrough`, `captured_before` and `captured_after`.
let wireDefaults = #"""
    {
    "name": "", "rtsp_url": "", "sub_rtsp_url": null, "location": null, "is_active": true, "rtsp_transport": "tcp",
    "sub_rtsp_transport": "tcp", "live_view_mode": "auto", "storage_profile_id": null, "motion_storage_profile_id": null,
    "continuous_storage_profile_id": null, "snapshot_storage_profile_id": null, "archive_storage_profile_id": null,
    "archive_after_hours": null, "status": "STARTING", "last_seen": null, "sort_order": 0, "audio_enabled": false,
    "enable_audio": false, "onvif_host": null, "onvif_port": 80, "onvif_username": null, "onvif_password": null,
    "onvif_profile_token": null, "onvif_manufacturer": null, "onvif_model": null, "onvif_firmware": null,
    "onvif_serial": null, "onvif_hw_id": null, "ptz_can_pan_tilt": true, "ptz_can_zoom": true, "ptz_can_home": true,
    "onvif_can_events": false, "resolution_width": 800, "resolution_height": 600, "auto_resolution": true, "framerate": 15,
    "rotation": 0, "text_left": "Camera Name", "text_right": "%Y-%m-%d %H:%M:%S", "text_scale": 1.0,
    "movie_file_name": "%Y-%m-%d/%H-%M-%S", "movie_quality": 75, "movie_passthrough": true,
    "recording_mode": "Motion Triggered", "previous_recording_mode": null, "max_movie_length": 120, "record_audio": false,
    "preserve_movies": "For One Week", "max_storage_gb": 0.0, "picture_file_name": "%Y-%m-%d/%H-%M-%S-%q",
    "picture_quality": 75, "picture_recording_mode": "Manual", "preserve_pictures": "Forever",
    "enable_manual_snapshots": true, "max_pictures_storage_gb": 0.0, "threshold": 1500, "despeckle_filter": false,
    "motion_gap": 10, "captured_before": 5, "captured_after": 10, "min_motion_frames": 2, "show_frame_changes": true,
    "auto_threshold_tuning": true, "auto_noise_detection": true, "light_switch_detection": 0, "mask": false,
    "privacy_masks": "[]", "motion_masks": "[]", "create_debug_media": false, "notify_webhook_url": null,
    "notify_telegram_token": null, "notify_telegram_chat_id": null, "notify_email_address": null,
    "notify_health_webhook_url": null, "notify_health_telegram_token": null, "notify_health_telegram_chat_id": null,
    "notify_health_email_recipient": null, "notify_start_email": false, "notify_start_telegram": false,
    "notify_start_webhook": false, "notify_start_command": false, "notify_end_webhook": false, "notify_end_command": false,
    "notify_health_email": false, "notify_health_telegram": false, "notify_health_webhook": false,
    "notify_attach_image_email": true, "detect_motion_mode": "Always", "detect_engine": "OpenCV", "schedule_monday": true,
    "schedule_monday_start": "00:00", "schedule_monday_end": "23:59", "schedule_tuesday": true,
    "schedule_tuesday_start": "00:00", "schedule_tuesday_end": "23:59", "schedule_wednesday": true,
    "schedule_wednesday_start": "00:00", "schedule_wednesday_end": "23:59", "schedule_thursday": true,
    "schedule_thursday_start": "00:00", "schedule_thursday_end": "23:59", "schedule_friday": true,
    "schedule_friday_start": "00:00", "schedule_friday_end": "23:59", "schedule_saturday": true,
    "schedule_saturday_start": "00:00", "schedule_saturday_end": "23:59", "schedule_sunday": true,
    "schedule_sunday_start": "00:00", "schedule_sunday_end": "23:59", "ai_enabled": false,
    "ai_object_types": ["person", "vehicle"], "ai_threshold": 0.5, "ai_tracking_enabled": false, "id": 0,
    "created_at": "1970-01-01T00:00:00Z", "groups": [], "storage_profile": null
    }
    """#
