/** What may come with one message: images, and texts in UTF-8; bytes as they are, not as base64. */
export const ATTACHMENT_MAX = {
  count: 10,
  imageBytes: 6_291_456,
  textBytes: 1024 * 1024,
  totalBytes: 19_464_192,
} as const;

/** Media types of images that are taken. */
export const IMAGES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

const TEXTS = /^(text\/[\w.+-]+|application\/(json|xml|yaml|x-yaml|toml|x-ndjson|javascript|x-sh))$/;

/** Whether it is the media type of a text that is taken, in lower case and without parameters. */
export function isTextType(type: string): boolean {
  return TEXTS.test(type);
}
