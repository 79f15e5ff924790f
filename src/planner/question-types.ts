/** JSON and YAML under all the names that clients give them; the note itself writes text/yaml and text/json (§9.1). */
const DOCUMENT = /^(?:application|text)\/(?:json|yaml|x-yaml|vnd\.yaml)$|^[^/]+\/[^/]+\+(?:json|yaml)$/;

export const FORM = 'application/x-www-form-urlencoded';
export const MULTIPART = 'multipart/form-data';

/** Whether this media type (lower case, without parameters) is one of JSON or YAML. */
export function isDocumentType(mediaType: string): boolean {
  return DOCUMENT.test(mediaType);
}
