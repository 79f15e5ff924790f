/** Images that this gateway has had pulled, and may remove therefore: by name and digest, and when a job last used each. */
export const PULLED_IMAGES = `
CREATE TABLE pulled_images (
  name TEXT    NOT NULL PRIMARY KEY,
  used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
