import type { ReactElement } from 'react';

/** Drawn for this program, on a grid of 24. */
const paths = {
  live: 'M3 6.5A1.5 1.5 0 0 1 4.5 5h10A1.5 1.5 0 0 1 16 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-10A1.5 1.5 0 0 1 3 17.5zM16 10l5-3v10l-5-3',
  replay: 'M4 12a8 8 0 1 0 2.6-5.9M4 4v4h4M12 8v4.4l3 1.8',
  events: 'M5 4h14v16H5zM9 9l6 3-6 3z',
  cameras: 'M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z',
  system: 'M4 19V9M10 19V5M16 19v-7M22 19H2',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4M4 12h6M14 12h6M12 10v4',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5',
  users: 'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.6-3.3 3.2-5 6.5-5s5.9 1.7 6.5 5M15.5 4.8a3.5 3.5 0 0 1 0 6.4M17.5 14.8c2.2.6 3.6 2.200 4 4.700',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  back: 'M19 12H5M11 6l-6 6 6 6',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  up: 'M5 15l7-7 7 7',
  down: 'M5 9l7 7 7-7',
  expand: 'M9 4H4v5M15 4h5v5M9 20H4v-5M15 20h5v-5',
  shrink: 'M4 9h5V4M20 9h-5V4M4 15h5v5M20 15h-5v5',
  sound: 'M4 9.500v5h3.500L12 19V5L7.500 9.500zM15.500 9a4 4 0 0 1 0 6M18 6.500a7.500 7.500 0 0 1 0 11',
  mute: 'M4 9.500v5h3.500L12 19V5L7.500 9.500zM16 9.500l5 5M21 9.500l-5 5',
  photo: 'M4 7h3.500L9 4.500h6L16.500 7H20v12H4zM12 16a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7z',
  record: 'M12 12m-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0M12 12m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0',
  play: 'M7 4.500v15l12-7.500z',
  pause: 'M8 5v14M16 5v14',
  stepBack: 'M6 5v14M18 5.500v13L9 12z',
  stepForward: 'M18 5v14M6 5.500v13l9-6.500z',
  rewind: 'M11 6v12l-8-6zM21 6v12l-8-6z',
  forward: 'M13 6v12l8-6zM3 6v12l8-6z',
  trash: 'M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13M10 11v5M14 11v5',
  edit: 'M4 20h4L19.500 8.500l-4-4L4 16zM13 7l4 4',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  download: 'M12 4v11M7 10.500l5 5 5-5M4 20h16',
  upload: 'M12 16V5M7 9.500l5-5 5 5M4 20h16',
  search: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500L20 20',
  filter: 'M4 5h16l-6 7.500V19l-4-2v-4.500z',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  link: 'M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1',
  tour: 'M4 12a8 8 0 0 1 13.700-5.600L20 8.500M20 4v4.500h-4.500M20 12a8 8 0 0 1-13.700 5.600L4 15.500M4 20v-4.500h4.500',
  move: 'M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500',
  boxes: 'M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 9h6v6H9z',
  warning: 'M12 4l9 16H3zM12 10v4.500M12 17.200v.01',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 8v.01',
  offline: 'M3 3l18 18M5 10.500a10 10 0 0 1 4-2.300M2 7.500A15 15 0 0 1 6 5M19 10.500a10 10 0 0 0-4.500-2.500M22 7.500a15 15 0 0 0-11-3.700M8.500 14a5 5 0 0 1 5-1.200M12 18.500h.01',
  motion: 'M13 5.500m-1.500 0a1.500 1.500 0 1 0 3 0a1.500 1.500 0 1 0-3 0M8 21l3-5.500-2-3 1-4 3.500 2 2.500 2h2.500M11.500 15.500l3 2L15 21M10 8.500L7 10v3',
  key: 'M14.500 9.500m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0M11 13l-7 7M6.500 17.500l2 2M9 15l2 2',
  shield: 'M12 3l7.500 3v5.500c0 4.500-3 8-7.500 9.500-4.500-1.500-7.500-5-7.500-9.500V6z',
  disk: 'M4 6c0-1.500 3.500-2.500 8-2.500S20 4.500 20 6v12c0 1.500-3.500 2.500-8 2.500S4 19.500 4 18zM4 6c0 1.500 3.500 2.500 8 2.500S20 7.500 20 6M4 12c0 1.500 3.500 2.500 8 2.500s8-1 8-2.500',
  logs: 'M5 4h14v16H5zM8.500 8.500h7M8.500 12h7M8.500 15.500h4',
  backup: 'M12 15V7M8.500 10.500L12 7l3.500 3.500M4 15v5h16v-5',
  signOut: 'M14 4H5v16h9M10 12h11M17.500 8.500L21 12l-3.500 3.500',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5.500l3.500 2',
  group: 'M4 5h7v6H4zM13 5h7v6h-7zM8.500 13h7v6h-7z',
  kiosk: 'M3 5h18v11H3zM8 20h8M12 16v4',
  eye: 'M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  eyeOff: 'M3 3l18 18M9.500 5.900A9 9 0 0 1 12 5.500c6 0 9.500 6.500 9.500 6.500a17 17 0 0 1-3.200 3.900M6 7.600A17 17 0 0 0 2.500 12S6 18.500 12 18.500a9 9 0 0 0 3.800-.8',
  pin: 'M12 21s7-6.500 7-11.500a7 7 0 0 0-14 0C5 14.500 12 21 12 21zM12 12a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  zoomIn: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500L20 20M10.500 8v5M8 10.500h5',
  zoomOut: 'M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500L20 20M8 10.500h5',
  now: 'M4 5.500v13l9-6.500zM13 5.500v13l7-6.500zM21 5v14',
} as const;

export type IconName = keyof typeof paths;
const filled: ReadonlySet<IconName> = new Set(['play', 'rewind', 'forward']);

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): ReactElement {
  return (
    <svg className={filled.has(name) ? 'icon filled' : 'icon'} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

/** The mark of the program. */
export function Mark({ size = 28 }: { size?: number }): ReactElement {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 512 512" aria-hidden="true" focusable="false">
      <rect className="mark-ground" width="512" height="512" rx="112" />
      <path className="mark-body" d="M112 190a34 34 0 0 1 34-34h176a34 34 0 0 1 34 34v132a34 34 0 0 1-34 34H146a34 34 0 0 1-34-34zM376 226l44-32c8-6 20 0 20 10v104c0 10-12 16-20 10l-44-32z" />
      <circle className="mark-iris" cx="234" cy="256" r="56" />
      <circle className="mark-pupil" cx="234" cy="256" r="26" />
      <circle className="mark-light" cx="318" cy="192" r="14" />
    </svg>
  );
}
