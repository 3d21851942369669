/**
 * All mutants of a file in one: each place asks which mutant is on (`globalThis.$mutant`, a number), so
 * that a process loads library and tests once for a file, and not once for each of its mutants.
 *
 * An expression becomes `(on === 7 ? the mutant : what it was)`. What is left out stands behind an `if`.
 * Two statements that change places stand there in both orders; what they declare is declared before
 * them, and assigned by them.
 */

import { applied, HALVES, type MachineMutant } from './mutate.ts'
import { children, type Node, nameOf, part, parts, walk } from './syntax.ts'

const ON = 'globalThis.$mutant'

/** The file's text with all of them, by their places in the list; none is on at first. */
export function schemaOf(text: string, program: Node, mutants: readonly MachineMutant[]): string {
  return new Schema(text, mutants).all(program)
}

type Numbered = readonly [number: number, mutant: MachineMutant]

class Schema {
  private readonly text: string
  /** By the range that a mutant replaces, and by what it does there. */
  private readonly at = new Map<string, Numbered[]>()
  private readonly pairs = new Map<string, number>()
  private needsHalves = false

  constructor(text: string, mutants: readonly MachineMutant[]) {
    this.text = text
    for (const [i, mutant] of mutants.entries()) {
      const [first, second] = mutant.edits
      if (first === undefined) continue
      if (mutant.operator === 'exchange') {
        this.pairs.set(`${first.start} ${second?.start}`, i)
        continue
      }
      const key = `${kindOf(mutant)} ${first.start} ${first.end}`
      this.at.set(key, [...(this.at.get(key) ?? []), [i, mutant]])
    }
  }

  all(program: Node): string {
    const all = this.emit(program)
    return this.needsHalves ? `${all}\n${Object.values(HALVES).join('\n')}\n` : all
  }

  private emit(node: Node): string {
    if (node.type === 'BlockStatement') return this.block(node)
    const inner = this.inner(node, children(node))
    const here = this.taken('node', node.start, node.end)
    if (node.type === 'ExpressionStatement') {
      const [drop] = here
      return drop === undefined ? inner : `{ if (${ON} !== ${drop[0]}) ${inner} }`
    }
    if (/Statement$/.test(node.type)) return this.behind(here, inner)
    return this.choice(node, [...here, ...this.calls(node)], inner)
  }

  /** A block: it may be left out, and its statements may change places. */
  private block(node: Node): string {
    const here = this.taken('node', node.start, node.end)
    const list = parts(node, 'body')
    const pairs = list.map((one, i) => {
      const next = list[i + 1]
      return next === undefined ? undefined : this.pairs.get(`${one.start} ${next.start}`)
    })
    if (pairs.every((each) => each === undefined)) {
      return this.behind(here, this.inner(node, list))
    }
    const moves = (i: number): readonly number[] =>
      [pairs[i - 1], pairs[i]].filter((each) => each !== undefined)
    const names = list.flatMap((each, i) => (moves(i).length > 0 ? declared(each) : []))
    const first = list.findIndex((_, i) => moves(i).length > 0)
    let text = ''
    let from = node.start
    for (const [i, each] of list.entries()) {
      text += this.text.slice(from, each.start)
      from = each.end
      if (i === first && names.length > 0) text += `let ${names.join(', ')}; `
      const on = pairs[i]
      const next = list[i + 1]
      if (on !== undefined && next !== undefined) {
        text += `if (${ON} === ${on}) { ${this.raw(next)} ${this.raw(each)} } `
      }
      const guards = moves(i).map((number) => `${ON} !== ${number}`)
      if (guards.length === 0) text += this.emit(each)
      else text += `if (${guards.join(' && ')}) { ${this.assigned(each)} }`
    }
    return this.behind(here, text + this.text.slice(from, node.end))
  }

  /** The statement as it was, but with what it declares assigned. */
  private raw(node: Node): string {
    if (node.type !== 'VariableDeclaration') return this.of(node)
    return parts(node, 'declarations')
      .map((each) => `(${this.of(each)});`)
      .join(' ')
  }

  private assigned(node: Node): string {
    if (node.type !== 'VariableDeclaration') return this.emit(node)
    return parts(node, 'declarations')
      .map((each) => `(${this.emit(each)});`)
      .join(' ')
  }

  private inner(node: Node, within: readonly Node[]): string {
    let text = ''
    let from = node.start
    for (const each of [...within].sort((one, other) => one.start - other.start)) {
      // `{ memory }` has its name twice.
      if (each.start < from) continue
      text += this.text.slice(from, each.start) + this.emit(each)
      from = each.end
    }
    return text + this.text.slice(from, node.end)
  }

  /** Mutants of a call that are known by a part of it: its verb, or what comes before its arguments. */
  private calls(node: Node): readonly Numbered[] {
    const callee = node.type === 'CallExpression' ? part(node, 'callee') : undefined
    const verb = callee && part(callee, 'property')
    if (verb === undefined) return []
    const [argument] = parts(node, 'arguments')
    const halves = argument ? this.taken('split', node.start, argument.start) : []
    if (halves.length > 0) this.needsHalves = true
    return [...this.taken('verb', verb.start, verb.end), ...halves]
  }

  private taken(kind: Kind, start: number, end: number): readonly Numbered[] {
    const key = `${kind} ${start} ${end}`
    const here = this.at.get(key) ?? []
    this.at.delete(key)
    return here
  }

  private behind(here: readonly Numbered[], inner: string): string {
    return here.length === 0 ? inner : `{ if (${ON} !== ${here[0]?.[0]}) ${inner} }`
  }

  private choice(node: Node, here: readonly Numbered[], inner: string): string {
    if (here.length === 0) return inner
    const choices = here.map(
      ([number, { edits }]) => `${ON} === ${number} ? (${this.within(node, edits)}) : `,
    )
    return `(${choices.join('')}${inner})`
  }

  /** What a node becomes by the edits in it. */
  private within(node: Node, edits: MachineMutant['edits']): string {
    const ours = edits.filter(({ start, end }) => start >= node.start && end <= node.end)
    const moved = ours.map(({ start, end, text }) => ({
      start: start - node.start,
      end: end - node.start,
      text,
    }))
    return applied(this.of(node), moved)
  }

  private of({ start, end }: Node): string {
    return this.text.slice(start, end)
  }
}

type Kind = 'node' | 'verb' | 'split'

function kindOf({ operator }: MachineMutant): Kind {
  if (operator === 'split') return 'split'
  return operator === 'plain' || operator === 'stale' ? 'verb' : 'node'
}

/** Names that a statement declares. */
function declared(node: Node): readonly string[] {
  if (node.type !== 'VariableDeclaration') return []
  return parts(node, 'declarations').flatMap((each) => {
    const id = part(each, 'id')
    return id === undefined ? [] : bound(id)
  })
}

/** Names that a pattern binds: not the keys, and not the defaults. */
function bound(pattern: Node): readonly string[] {
  const names: string[] = []
  walk(pattern, (node, above) => {
    const around = above.at(-1)
    const isKey = around?.type === 'Property' && part(around, 'value') !== node
    const isDefault = above.some(
      (each) => each.type === 'AssignmentPattern' && part(each, 'right') === node,
    )
    const name = node.type === 'Identifier' ? nameOf(node) : undefined
    if (name !== undefined && !isKey && !isDefault) names.push(name)
  })
  return [...new Set(names)]
}
