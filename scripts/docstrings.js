/**
 * Lists public names whose docstrings do not say what they must, one to a line; ends with 1 if there are any.
 *
 *     node scripts/docstrings.js
 *
 * Every name has a docstring. That of a verb of the core says how it fails, whether it may block and whether
 * it is legal in a section: by itself, by its class, or by naming the verb that it is like ("as `get`").
 * For the dialects the comment at the head of the file says that.
 *
 * It reads the declarations in types/, with the TypeScript of test/types: the newest has no API.
 */

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('../', import.meta.url)
const require = createRequire(new URL('test/types/', ROOT))
const ts = require('typescript')

const CORE = 'index'
const ENTRIES = [CORE, ...['freebsd', 'netbsd', 'openbsd', 'xnu'].map((name) => `dialects/${name}`)]

const SAYS = {
  'how it fails': /Misuse|Exhausted|Corruption|[Tt]hrows?\b|[Rr]ejects/,
  'whether it blocks': /[Bb]lock|[Ww]aits? for|[Dd]oes not wait|between turns/,
  'whether it is legal in a section': /section|[Ll]egal anywhere/,
}
/** References to a verb like this one. */
const LIKE = /(?:[Aa]s |Errors as |^|\. )`(\w+)`/g

const paths = ENTRIES.map((entry) => fileURLToPath(new URL(`types/${entry}.d.ts`, ROOT)))
const program = ts.createProgram(paths, {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  types: [],
  skipLibCheck: true,
})
const checker = program.getTypeChecker()

function textOf(symbol) {
  const comment = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  const tags = symbol.getJsDocTags(checker)
  const told = tags.map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`)
  return [comment, ...told].join(' ').replace(/\s+/g, ' ').trim()
}

function isVerb({ flags }) {
  return (
    (flags & (ts.SymbolFlags.Method | ts.SymbolFlags.Function | ts.SymbolFlags.GetAccessor)) !== 0
  )
}

/** Public members of a class or interface. */
function membersOf(symbol) {
  const all = [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])]
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
  return all.filter(({ name, valueDeclaration: at }) => {
    if (at === undefined || name.startsWith('__') || name === 'prototype') return false
    return (ts.getCombinedModifierFlags(at) & hidden) === 0
  })
}

/** What the docstring says, with those of the verbs that it refers to. */
function saidBy(symbol, siblings, seen = new Set()) {
  seen.add(symbol)
  const own = textOf(symbol)
  const names = [...own.matchAll(LIKE)].map(([, name]) => name)
  const like = siblings.filter((each) => names.includes(each.name) && !seen.has(each))
  return [own, ...like.map((each) => saidBy(each, siblings, seen))].join(' ')
}

const gaps = []
let names = 0

function look(where, name, symbol, siblings, owner) {
  names++
  if (textOf(symbol) === '') {
    gaps.push(`${where}: ${name} has no docstring`)
    return
  }
  if (where !== CORE || !isVerb(symbol)) return
  const ofClass = owner === undefined ? '' : textOf(owner)
  const said = `${saidBy(symbol, siblings)} ${/block/.test(ofClass) ? ofClass : ''}`
  for (const [what, pattern] of Object.entries(SAYS)) {
    if (!pattern.test(said)) gaps.push(`${where}: ${name} does not say ${what}`)
  }
}

for (const [i, entry] of ENTRIES.entries()) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(paths[i]))
  const exported = checker.getExportsOfModule(module)
  const symbols = exported.map((symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
  )
  for (const symbol of symbols) {
    look(entry, symbol.name, symbol, symbols)
    if ((symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) === 0) continue
    const members = membersOf(symbol)
    for (const member of members) {
      look(entry, `${symbol.name}.${member.name}`, member, members, symbol)
    }
  }
}

console.log(gaps.length > 0 ? gaps.join('\n') : `${names} public names say what they must`)
process.exitCode = gaps.length > 0 ? 1 : 0
