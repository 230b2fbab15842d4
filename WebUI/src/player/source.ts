/** Media Source Extensions as this browser has them: phones of one maker know a managed form only. Null where there are none. */
export function mediaSourceClass(): typeof MediaSource | null {
  const global = window as unknown as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return global.MediaSource ?? global.ManagedMediaSource ?? null;
}

/** Whether a type can be played from a source buffer. */
export const isPlayable = (type: string): boolean => mediaSourceClass()?.isTypeSupported(type) ?? false;

/** What the managed form asks of the element. */
export function prepareElement(video: HTMLVideoElement): void { (video as HTMLVideoElement & { disableRemotePlayback: boolean }).disableRemotePlayback = true; }
