/**
 * Makes WebAssembly text of src/memory/intrinsics.wat: expands its macros, and puts in the numbers
 * that it shares with the TypeScript sources.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const read = (path) =>
  readFileSync(fileURLToPath(new URL(`../src/${path}`, import.meta.url)), 'utf8')

/** What stands between braces in the text: an expression over constants of the sources. */
const NUMBERS = {
  NEAR: 'NEAR',
  FAR: 'FAR',
  ENDLESS: 'ENDLESS * BYTES_PER_WORD',
  NODES_SHIFT: 'Math.log2(2 ** 16 / BYTES_PER_WORD) - WORDS_PER_NODE',
  HASH_BITS: 'HASH_BITS',
  HASH_OFFSET: 'LINKS_PER_NODE * BYTES_PER_WORD',
  LINK_MASK: 'ChainsWord.linkMask',
  BITS_AT: 'ChainsWord.bitsShift',
  BITS: 'ChainsWord.bitsMask',
  PAGE_MASK: 'ChainsWord.pageMask',
  UNSURE: 'UNSURE',
  LEVEL_AT: 'TrieHead.levelShift',
  SLOTS: 'TrieHead.slotsMask',
  RECORD: 'TrieLink.record',
  TOP_DIGIT: 'TOP_DIGIT',
  DIGIT_MASK: 'DIGIT_MASK',
  LAST_LEVEL: 'LAST_LEVEL',
  SLOT_OFFSET: 'BYTES_PER_WORD',
  DIGIT_OFFSET: '2 * BYTES_PER_WORD',
  MANY_OFFSET: 'KEYS_AT_ONCE * BYTES_PER_WORD',
}

/** Where those constants are declared; each may use those before it. */
const DECLARED = [
  ['memory/units.ts', 'BYTES_PER_WORD'],
  ['memory/units.ts', 'KEYS_AT_ONCE'],
  ['base/seq.ts', 'MAX_DELTA'],
  ['memory/layout.ts', 'PAGE_WORDS'],
  ['memory/layout.ts', 'LINKS_PER_NODE'],
  ['memory/layout.ts', 'ChainsWord'],
  ['memory/layout.ts', 'DIGITS'],
  ['memory/layout.ts', 'TrieHead'],
  ['memory/layout.ts', 'TrieLink'],
  ['memory/compound.ts', 'NEAR'],
  ['memory/compound.ts', 'FAR'],
  ['memory/compound.ts', 'ENDLESS'],
  ['memory/compound.ts', 'HASH_BITS'],
  ['memory/compound.ts', 'WORDS_PER_NODE'],
  ['memory/compound.ts', 'UNSURE'],
  ['memory/compound.ts', 'TOP_DIGIT'],
  ['memory/compound.ts', 'DIGIT_MASK'],
  ['memory/compound.ts', 'LAST_LEVEL'],
]

/** One declaration as JavaScript: a number, or an object of numbers. */
function declaration(path, name) {
  const form = new RegExp(`^(?:export )?const ${name}(?:: number)? = (\\{[^}]*\\}|[^\\n{]+)`, 'm')
  const value = form.exec(read(path))?.[1]
  if (value === undefined) throw new Error(`src/${path} declares no constant ${name}`)
  return `const ${name} = ${value};`
}

/** The numbers by their names, as 32 bits. */
export function numbers() {
  const body = DECLARED.map(([path, name]) => declaration(path, name)).join('\n')
  const list = Object.entries(NUMBERS).map(([name, value]) => `${name}: ${value}`)
  const all = new Function(`${body}\nreturn { ${list.join(', ')} }`)()
  for (const [name, value] of Object.entries(all)) {
    const fits = Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 32
    if (!fits) throw new Error(`intrinsics.wat: ${name} is ${value}, no number of 32 bits`)
  }
  return all
}

/** The text with macros expanded and numbers put in. */
export function expand(text, values = numbers()) {
  const macros = new Map()
  const rest = text.replaceAll(/^@macro (\w+)\n([\s\S]*?)^@end\n/gm, (_, name, body) => {
    macros.set(name, body)
    return ''
  })
  const whole = rest.replaceAll(/^ *@(\w+)\n/gm, (_, name) => {
    const body = macros.get(name)
    if (body === undefined) throw new Error(`intrinsics.wat: there is no macro ${name}`)
    return body
  })
  return whole.replaceAll(/\{(\w+)\}/g, (_, name) => {
    const value = values[name]
    if (value === undefined) throw new Error(`intrinsics.wat: there is no number ${name}`)
    return value < 2 ** 16 ? String(value) : `0x${value.toString(16)}`
  })
}

/** The text of the module that ships. */
export const intrinsicsText = () => expand(read('memory/intrinsics.wat'))
