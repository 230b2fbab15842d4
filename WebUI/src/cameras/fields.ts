// Which fields of a camera stand where in the editor. Types and limits come from /openapi.json.
import { days } from './week';

export interface Section { id: string; fields: readonly string[] }
export interface Tab { id: string; sections: readonly Section[]; /** What is stored here, but not acted on by this server yet. */ isIdle?: boolean }

export const tabs: readonly Tab[] = [
  { id: 'general', sections: [
    { id: 'identity', fields: ['name', 'location', 'is_active', 'live_view_mode', 'sort_order'] },
  ] },
  { id: 'stream', sections: [
    { id: 'addresses', fields: ['rtsp_url', 'rtsp_transport', 'sub_rtsp_url', 'sub_rtsp_transport'] },
    { id: 'sound', fields: ['audio_enabled', 'enable_audio'] },
    { id: 'picture', fields: ['auto_resolution', 'resolution_width', 'resolution_height', 'framerate', 'rotation'] },
    { id: 'onvif', fields: ['onvif_host', 'onvif_port', 'onvif_username', 'onvif_password', 'onvif_profile_token', 'ptz_can_pan_tilt', 'ptz_can_zoom', 'ptz_can_home',
      'onvif_can_events', 'onvif_manufacturer', 'onvif_model', 'onvif_firmware', 'onvif_serial', 'onvif_hw_id'] },
  ] },
  { id: 'recording', sections: [
    { id: 'when', fields: ['recording_mode', 'captured_before', 'captured_after', 'record_audio'] },
    { id: 'keeping', fields: ['preserve_movies', 'max_storage_gb'] },
    { id: 'files', fields: ['max_movie_length', 'movie_file_name', 'movie_passthrough', 'movie_quality', 'previous_recording_mode'] },
  ] },
  { id: 'motion', sections: [
    { id: 'detection', fields: ['detect_motion_mode', 'threshold', 'auto_threshold_tuning', 'min_motion_frames', 'motion_gap', 'detect_engine'] },
    { id: 'noise', fields: ['auto_noise_detection', 'despeckle_filter', 'light_switch_detection', 'show_frame_changes', 'create_debug_media'] },
  ] },
  { id: 'masks', sections: [{ id: 'masks', fields: ['mask', 'motion_masks'] }] },
  { id: 'snapshots', sections: [
    { id: 'pictures', fields: ['enable_manual_snapshots', 'picture_recording_mode', 'picture_quality', 'picture_file_name'] },
    { id: 'keeping', fields: ['preserve_pictures', 'max_pictures_storage_gb'] },
  ] },
  { id: 'schedule', sections: [{ id: 'week', fields: days.flatMap((day) => [`schedule_${day}`, `schedule_${day}_start`, `schedule_${day}_end`]) }] },
  { id: 'storage', sections: [
    { id: 'profiles', fields: ['storage_profile_id', 'motion_storage_profile_id', 'continuous_storage_profile_id', 'snapshot_storage_profile_id'] },
    { id: 'archive', fields: ['archive_storage_profile_id', 'archive_after_hours'] },
  ] },
  { id: 'overlay', isIdle: true, sections: [{ id: 'text', fields: ['text_left', 'text_right', 'text_scale'] }] },
  { id: 'objects', isIdle: true, sections: [{ id: 'objects', fields: ['ai_enabled', 'ai_object_types', 'ai_threshold', 'ai_tracking_enabled'] }] },
  { id: 'alerts', isIdle: true, sections: [
    { id: 'receivers', fields: ['notify_email_address', 'notify_telegram_chat_id', 'notify_telegram_token', 'notify_webhook_url', 'notify_attach_image_email'] },
    { id: 'onMotion', fields: ['notify_start_email', 'notify_start_telegram', 'notify_start_webhook', 'notify_start_command', 'notify_end_webhook', 'notify_end_command'] },
    { id: 'onHealth', fields: ['notify_health_email', 'notify_health_email_recipient', 'notify_health_telegram', 'notify_health_telegram_chat_id', 'notify_health_telegram_token',
      'notify_health_webhook', 'notify_health_webhook_url'] },
  ] },
];

/** Fields with a place of their own, or that cannot be anything but empty yet. */
const elsewhere: ReadonlySet<string> = new Set(['motion_masks', 'privacy_masks']);

/** Fields that the server has and this list does not know: shown at the end, so that nothing is out of reach. */
export function unknownFields(known: Iterable<string>): string[] {
  const listed = new Set(tabs.flatMap((tab) => tab.sections.flatMap((section) => section.fields)));
  return [...known].filter((name) => !listed.has(name) && !elsewhere.has(name));
}

/** Fields that are kept and that this server does not act on yet, outside of the tabs that are idle as a whole. */
export const idleFields: ReadonlySet<string> = new Set([
  'auto_resolution', 'resolution_width', 'resolution_height', 'framerate', 'rotation',
  'onvif_port', 'onvif_username', 'onvif_password', 'onvif_profile_token', 'onvif_can_events', 'onvif_manufacturer', 'onvif_model', 'onvif_firmware', 'onvif_serial', 'onvif_hw_id',
  'movie_passthrough', 'movie_quality', 'auto_noise_detection', 'show_frame_changes', 'create_debug_media', 'mask',
]);

export const tabOf = (field: string): string | undefined => tabs.find((tab) => tab.sections.some((section) => section.fields.includes(field)))?.id;

export const keepingTimes = ['For One Day', 'For One Week', 'For Two Weeks', 'For One Month', 'For Three Months', 'For Six Months', 'For One Year', 'Forever'] as const;

/** Values of fields that the server takes as free text. */
export const knownChoices: Record<string, readonly string[]> = {
  preserve_movies: keepingTimes, preserve_pictures: keepingTimes, detect_motion_mode: ['Always', 'Working Schedule', 'Off'], live_view_mode: ['auto', 'webcodecs', 'mjpeg'],
  picture_recording_mode: ['Manual', 'Motion Triggered'], detect_engine: ['OpenCV'],
};

export const units: Record<string, string> = {
  captured_before: 's', captured_after: 's', max_movie_length: 's', motion_gap: 's', max_storage_gb: 'GB', max_pictures_storage_gb: 'GB', framerate: 'fps',
  light_switch_detection: '%', movie_quality: '%', picture_quality: '%', archive_after_hours: 'h', rotation: '°', threshold: 'px', resolution_width: 'px', resolution_height: 'px',
};
