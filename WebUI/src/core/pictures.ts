/** A picture as bytes; null for what is no JPEG or PNG in base64. Pages may show blobs, but no data URLs. */
export function pictureBlob(dataURL: string): Blob | null {
  const found = /^data:(image\/(?:jpeg|png));base64,([A-Za-z0-9+/=]+)$/.exec(dataURL);
  if (!found) return null;
  try {
    return new Blob([Uint8Array.from(atob(found[2]!), (letter) => letter.charCodeAt(0))], { type: found[1]! });
  } catch { return null; }
}
