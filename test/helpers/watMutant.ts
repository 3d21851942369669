/**
 * Faults put into the text of the intrinsics, however that is laid out: a text is compared without
 * its comments, and with one blank wherever there is space.
 */

import { HONEST } from './wat.ts'

/** The text on one line. */
export function flat(text: string): string {
  return text
    .replaceAll(/;;.*$/gm, '')
    .replaceAll(/\(;[\s\S]*?;\)/g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ (?=\))|(?<=\() /g, '')
    .trim()
}

/** The shipped text with each `find` replaced in the function of this name, where it must stand once. */
export function mutatedWat(
  func: string,
  edits: readonly (readonly [find: string, replace: string])[],
): string {
  const text = flat(HONEST)
  const from = text.indexOf(`(func (export "${func}")`)
  if (from < 0) throw new Error(`intrinsics.wat exports no ${func}`)
  const end = endOf(text, from)
  let body = text.slice(from, end)
  for (const [find, replace] of edits) {
    const found = body.split(flat(find)).length - 1
    if (found !== 1) throw new Error(`"${find}" stands ${found} times in ${func}`)
    body = body.replace(flat(find), () => flat(replace))
  }
  return text.slice(0, from) + body + text.slice(end)
}

/** Where the parenthesis that opens at `from` is closed. */
function endOf(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    if (text[at] === '(') depth++
    else if (text[at] === ')' && --depth === 0) return at + 1
  }
  throw new Error('intrinsics.wat: a parenthesis is not closed')
}
