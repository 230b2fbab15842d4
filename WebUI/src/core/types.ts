// The shapes of the API that the interface relies on; /openapi.json describes them in full.

export interface Grant { id: number; name: string; can_view: boolean; can_replay: boolean; can_control: boolean }

export interface User {
  id: number; username: string; email: string | null; role: 'admin' | 'viewer'; is_2fa_enabled: boolean; is_active: boolean;
  restrict_camera_access: boolean; language: string; avatar_path: string | null; created_at: string;
  camera_accesses: Grant[]; group_accesses: Grant[];
}

export type CameraStatus = 'CONNECTED' | 'STARTING' | 'UNREACHABLE' | 'UNAUTHORIZED' | 'DISABLED' | string;

/** A value of a camera's field. */
export type FieldValue = string | number | boolean | null | string[];

export interface Camera {
  id: number; name: string; location: string | null; is_active: boolean; status: CameraStatus; status_reason: string | null;
  status_reason_code?: string | null; status_reason_parameters?: unknown;
  status_since: string | null; last_seen: string | null; is_recording: boolean; recording_mode: 'Off' | 'Continuous' | 'Motion Triggered';
  live_view_mode: string; resolution_width: number; resolution_height: number; framerate: number; rtsp_url: string;
  sub_rtsp_url: string | null; audio_enabled: boolean; record_audio: boolean; enable_manual_snapshots: boolean; sort_order: number;
  motion_masks: string; privacy_masks: string; detect_motion_mode: string; groups: { name: string; description: string | null }[];
  storage_profile_id?: number | null; continuous_storage_profile_id?: number | null; motion_storage_profile_id?: number | null; snapshot_storage_profile_id?: number | null;
  created_at: string; ptz_can_pan_tilt: boolean; ptz_can_zoom: boolean; ptz_can_home: boolean; onvif_host: string | null;
}
/** Every field by its name, for the editor. */
export type CameraFields = Camera & Record<string, unknown>;

export interface Group { id: number; name: string; description: string | null; cameras: Camera[] }

export type EventKind = 'motion' | 'continuous' | 'manual';

export interface NVREvent {
  id: number; camera_id: number; timestamp_start: string; timestamp_end: string | null; type: 'video' | 'snapshot'; event_type: EventKind;
  file_path: string; file_size: number | null; thumbnail_path: string | null; width: number | null; height: number | null;
  motion_score: number | null; ai_metadata: string | null;
}

export interface EventStatus {
  active_ids: number[];
  live_motion: Record<string, { timestamp: string; source: string; ai_metadata: string | null; _updated_at: number }>;
  camera_health: Record<string, string>;
  /** Bytes by camera id. */
  recorded_bytes_last_minute?: Record<string, number>;
}
/** What detectors have seen, and where. */
export interface EventLabels { labels: string[]; zones: string[] }

export interface Fragment { start: string; duration: number; offset: number; size: number; media_start: number }
export interface ReplaySegment {
  url: string; init_length: number; codecs: string; width: number; height: number; run: number; is_growing: boolean; is_encrypted?: boolean; fragments: Fragment[];
}
export interface PlaybackIndex { camera_id: number; start: string; end: string; segments: ReplaySegment[] }

export interface Holding { count: number; size_gb: number | null }
export interface Statistics {
  active_cameras: number; total_errors: number; total_events: number; events_24h: number; video_count: number; picture_count: number;
  storage: {
    total_gb: number | null; used_gb: number | null; free_gb: number | null; percent: number | null; estimated_retention_days: number | null;
    daily_rate_gb: number | null; configured_retention: string | null; configured_retention_days: number | null;
    required_storage_gb: number | null; total_quota_gb: number; quota_percent: number;
  };
  resources: {
    cpu_percent: number | null; memory_mb: number | null; host_cpu_percent: number | null; host_memory_mb: number | null; host_memory_total_mb: number | null;
  };
  network: { recv_mbps: number | null; sent_mbps: number | null };
  database: { size_mb: number | null; event_count: number };
  details: {
    global: { movies: Holding; images: Holding };
    cameras: Record<string, { movies: Holding; images: Holding; daily_rate_gb: number | null; estimated_retention_days: number | null }>;
    profiles: Record<string, { name: string; path: string | null; size_gb: number | null; count: number; total_gb: number | null; free_gb: number | null }>;
  };
  system_status: string; uptime: string;
}
export interface ResourceSample {
  timestamp: string; cpu_percent: number | null; memory_mb: number | null; network_recv_mbps: number | null; network_sent_mbps: number | null;
  host_cpu_percent: number | null; host_memory_mb: number | null;
}
export interface HourOfEvents { time: string; events: number; videos: number }

/** Whether a volume is there. */
export interface VolumeState {
  status: 'ok' | 'lost' | 'new'; cause: string | null; reason: string | null; reason_code?: string | null; reason_parameters?: unknown; since: string | null;
}
/** Which keys footage is encrypted with, by their names. */
export interface FootageEncryption {
  enabled: boolean; key: string | null; since: string | null; missing_keys: string[]; clear: { recordings: number; bytes: number };
  keys: { key: string; available: boolean; writing: boolean; recordings: number; bytes: number }[];
}
export interface Bucket {
  id: number; name: string; endpoint: string; region: string; bucket: string; prefix: string; addressing: 'path' | 'virtual-host'; access_key: string; secret_key: string;
  allow_self_signed: boolean; max_bytes_per_second: number; offsite_all_cameras: boolean; offsite_camera_ids: number[];
  /** With these three footage can move into buckets; servers that cannot do this do not have them. */
  max_size_gb?: number; archive?: { recordings: number; snapshots: number; bytes: number }; state?: VolumeState;
}
export interface StorageProfile {
  id: number; name: string; path: string; description: string | null; max_size_gb: number; used_gb?: number | null;
  state?: VolumeState;
  disk: { total_gb: number; free_gb: number; percent: number | null } | null;
}
export interface APIKey { id: number; name: string; token: string | null; created_at: string; expires_at: string | null; last_used_at: string | null; is_active: boolean }
export interface TrustedDevice { id: number; name: string; last_used: string; created_at: string }
export interface AuditEntry {
  id: number; timestamp: string; user_id: number | null; username: string | null; api_token_id: number | null; address: string; method: string;
  route: string; parameters: Record<string, unknown>; camera_id: number | null; status: number; summary: string;
}
export interface BackupFile { filename: string; size: number; created_at: string }
export interface Restored {
  message: string; restored: Record<string, number>; warnings: string[]; warnings_said?: unknown[]; users_without_password: string[]; safety_backup: string;
}
export interface ServerFacts { version: string; time_zone: string }
export interface Hold {
  id: number; camera_id: number; start: string; end: string; reason: string; created_at: string; created_by: string; expires_at: string | null; is_active: boolean;
}
