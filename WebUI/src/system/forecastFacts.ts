import { useQuery } from '../core/query';

// GET /storage/forecast: for how many days recordings will be there.

export interface CameraForecast {
  camera_id: number; name: string; bytes_per_day: number; stored_bytes: number; days: number | null; limited_by: string | null; configured_days: number | null;
}
export interface StorageForecast { cleanup_enabled: boolean; cameras: CameraForecast[] }

export const useForecast = (): StorageForecast | undefined => useQuery<StorageForecast>('/storage/forecast', 60_000).data;
/** Whether less will be kept than was asked for. */
export const isShort = (camera: CameraForecast): boolean => camera.configured_days !== null && camera.days !== null && camera.days < camera.configured_days;
