/**
 * Whether a file is one of those that patterns name. In a pattern `*` is any text without `/`, and `**` any number of
 * folders; it may begin at any folder of the path.
 */
export function isAmong(filename: string, patterns: readonly string[]): boolean {
  const path = `/${filename.replaceAll('\\', '/')}`
  return patterns.some((pattern) => toRegExp(pattern).test(path))
}

function toRegExp(pattern: string): RegExp {
  const body = pattern
    .split('**/')
    .map((part) => part.split('**').map(ofNames).join('.*'))
    .join('(?:[^/]*/)*')
  return new RegExp(`/${body}$`)
}

function ofNames(part: string): string {
  return part
    .split('*')
    .map((text) => text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join('[^/]*')
}
