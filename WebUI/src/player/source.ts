/** Media Source Extensions as this browser has them: phones of one maker know a managed form only. Null where there are none. */
export function mediaSourceClass(): typeof MediaSource | null {
  const global = window as unknown as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return global.MediaSource ?? global.ManagedMediaSource ?? null;
}

/** Whether a type can be played from a source buffer. */
export const isPlayable = (type: string): boolean => mediaSourceClass()?.isTypeSupported(type) ?? false;

/**
 * Whether the browser has as much footage as it wants for now: the managed form says so to save power (W3C Media Source Extensions,
 * `ManagedMediaSource.streaming`; WebKit wants more below 10 s ahead, and no more from 30 s on). What lacks a picture is fetched anyhow.
 */
export const isSated = (source: MediaSource): boolean => (source as MediaSource & { streaming?: boolean }).streaming === false;

/** What the managed form asks of the element: it opens for none that may play on another screen (Remote Playback API). Before its `src` is set. */
export function prepareElement(video: HTMLVideoElement): void { (video as HTMLVideoElement & { disableRemotePlayback: boolean }).disableRemotePlayback = true; }
