/** Stable codes of verdicts against an image; documented for operators, shown in answers. */
export const UNACCEPTABLE = {
  'registry.not-allowed': 'The registry is not one that this site asks',
  'image.not-found': 'The registry has no such image',
  'image.denied': 'The registry does not let this site, or the login that was given, read the image',
  'registry.login': 'The site takes no logins of callers for this registry',
  'image.platform': 'The image is not for the platform of this site',
  'image.malformed': 'A document is not JSON, or lacks what it must have',
  'image.duplicate-key': 'A document names a key twice in one object: readers differ in which one they believe',
  'image.ambiguous-key': 'A document has a key that a case-insensitive reader, such as the engine, takes for another one',
  'image.media-type': 'A document is not of the type it is said to be',
  'image.schema1': 'The image is in the retired schema 1',
  'image.ambiguous-document': 'A document is manifest and index at once',
  'image.descriptor': 'A descriptor has no valid digest or size',
  'image.size': 'A document, a layer or the sum of them is too large, or not as large as was said',
  'image.config-type': 'The manifest is not that of a container image',
  'image.layer-type': 'A layer is of a type that is not a plain file-system layer',
  'image.foreign-layer': 'A layer is to be fetched from somewhere else than the registry',
  'image.encrypted-layer': 'A layer is encrypted',
  'image.layer-count': 'There are too many layers, or manifest and configuration disagree about their number',
  'image.nested-index': 'Indexes are nested in a way that leaves the image open',
  'image.config': 'A member of the configuration has the wrong type',
  'image.platform-contradiction': 'Index and configuration name different platforms',
} as const;

export type UnacceptableCode = keyof typeof UNACCEPTABLE;

/**
 * The registry answered truly and the answer is a no: no such image, no access, or documents that no engine should be
 * given. A verdict against the image, not an outage. The message is fit for the client.
 */
export class ImageUnacceptable extends Error {
  override readonly name = 'ImageUnacceptable';
  /** Stable, for programs. */
  readonly code: UnacceptableCode;

  constructor(code: UnacceptableCode, message: string) {
    super(message);
    this.code = code;
  }
}
