/** How common makes name their streams, as their manuals tell. */
export interface Brand { name: string; port: number; main: string; sub: string | null }

export const brands: readonly Brand[] = [
  { name: 'Amcrest / Dahua', port: 554, main: '/cam/realmonitor?channel=1&subtype=0', sub: '/cam/realmonitor?channel=1&subtype=1' },
  { name: 'Axis', port: 554, main: '/axis-media/media.amp', sub: '/axis-media/media.amp?resolution=640x360' },
  { name: 'Foscam', port: 88, main: '/videoMain', sub: '/videoSub' },
  { name: 'Hanwha / Wisenet', port: 554, main: '/profile2/media.smp', sub: '/profile3/media.smp' },
  { name: 'Hikvision / Annke', port: 554, main: '/Streaming/Channels/101', sub: '/Streaming/Channels/102' },
  { name: 'Reolink', port: 554, main: '/h264Preview_01_main', sub: '/h264Preview_01_sub' },
  { name: 'TP-Link Tapo / VIGI', port: 554, main: '/stream1', sub: '/stream2' },
  { name: 'Uniview', port: 554, main: '/media/video1', sub: '/media/video2' },
];

/** The URL of a stream; names and passwords are written so that any character is possible. */
export function streamURL(brand: Brand, path: string, host: string, user: string, password: string): string {
  const login = user ? `${encodeURIComponent(user)}${password ? `:${encodeURIComponent(password)}` : ''}@` : '';
  const place = host.includes(':') && !host.startsWith('[') && host.split(':').length > 2 ? `[${host}]` : host;
  const hasPort = /:\d+$/.test(place) && !place.endsWith(']');
  return `rtsp://${login}${place}${hasPort ? '' : `:${brand.port}`}${path}`;
}
