/**
 * Makes mutants of a file of the built library from its syntax tree, so that they depend neither on
 * formatting nor on comments.
 *
 *   exchange    two adjacent statements that touch shared memory, in the other order
 *   plain       an atomic verb made plain: `store` to `poke`, `load` to `peek`
 *   stale       a `load` made a `peekRacy`, which may miss the last write and races with nobody
 *   split       `add`, `swap`, `cas`, `or`, `and` done as a load and a store
 *   drop        a statement that stores, or calls what stores, is left out
 *   skip check  an `if` that looks at shared memory and leaves is left out
 *   negate      the condition of an `if`, a `while` or a `?:` says the opposite
 *   boundary    `<` for `<=`, `>` for `>=`, and the other way round
 *   off by one  a number that is stored or counted is one too large
 *
 * A mutant is known by its key: file, enclosing function, operator and text of the node. Lines are
 * for the reader.
 */

import { type FileEffects, RELAXED, UPDATES, verbOf } from './effects.ts'
import {
  enclosing,
  field,
  functionName,
  type Node,
  nameOf,
  oneLine,
  part,
  parts,
  some,
  walk,
} from './syntax.ts'

export const OPERATORS = [
  'exchange',
  'plain',
  'stale',
  'split',
  'drop',
  'skip check',
  'negate',
  'boundary',
  'off by one',
] as const
export type Operator = (typeof OPERATORS)[number]

export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

export interface MachineMutant {
  /** File of the library, without ending: `smr/domain`. */
  readonly file: string
  /** Where, in the built file. */
  readonly offset: number
  /** The enclosing function. */
  readonly inside: string
  readonly operator: Operator
  /** What is changed, on one line; what stands a second time in its function has `#2` behind it. */
  readonly text: string
  readonly edits: readonly Edit[]
}

export function keyOf({
  file,
  inside,
  operator,
  text,
}: Omit<MachineMutant, 'offset' | 'edits'>): string {
  return `${file} | ${inside} | ${operator} | ${text}`
}

/** The file with the mutant in it. */
export function applied(text: string, edits: readonly Edit[]): string {
  return [...edits]
    .sort((one, other) => other.start - one.start)
    .reduce((all, { start, end, text }) => all.slice(0, start) + text + all.slice(end), text)
}

/** An update in two halves: what a worker does in between is lost. Declared at the end of the file. */
export const HALVES: Readonly<Record<string, string>> = {
  add: 'function add$(m, at, by) { const old = m.load(at); m.store(at, old + by); return old }',
  swap: 'function swap$(m, at, value) { const old = m.load(at); m.store(at, value); return old }',
  cas: 'function cas$(m, at, is, value) { const old = m.load(at); if (old === (is | 0)) m.store(at, value); return old }',
  or: 'function or$(m, at, bits) { const old = m.load(at); m.store(at, old | bits); return old }',
  and: 'function and$(m, at, bits) { const old = m.load(at); m.store(at, old & bits); return old }',
}

const OTHER_BOUNDARY: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
}

/** Calls that refuse bad arguments: what they protect is the caller, not the protocol. */
const REFUSES = /^(?:assert|check|refuse|require|onlyOptions|integer)/
const JUMPS: ReadonlySet<string> = new Set([
  'ReturnStatement',
  'ContinueStatement',
  'BreakStatement',
  'ThrowStatement',
])
/** Functions that only look, for print and for audits: they are tested where they are used. */
const INSPECTS = /^(?:check|assert|audit|describe|stats|why)/
const FUNCTIONS: ReadonlySet<string> = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
])

export function mutantsOf(
  file: string,
  text: string,
  program: Node,
  effects: FileEffects,
): readonly MachineMutant[] {
  const maker = new Maker(file, text, effects)
  walk(program, (node, above) => maker.visit(node, above))
  return maker.made
}

class Maker {
  readonly made: MachineMutant[] = []
  private readonly seen = new Map<string, number>()
  private readonly file: string
  private readonly text: string
  private readonly effects: FileEffects

  constructor(file: string, text: string, effects: FileEffects) {
    this.file = file
    this.text = text
    this.effects = effects
  }

  visit(node: Node, above: readonly Node[]): void {
    if (above.some((each) => isRefusal(each) || INSPECTS.test(functionName(each) ?? ''))) return
    switch (node.type) {
      case 'BlockStatement':
        this.exchanges(node, above)
        break
      case 'CallExpression':
        this.weaken(node, above)
        this.offByOne(node, above)
        break
      case 'ExpressionStatement':
        this.drop(node, above)
        break
      case 'IfStatement':
        this.skipCheck(node, above)
        this.negate(node, above)
        break
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'ConditionalExpression':
        this.negate(node, above)
        break
      case 'BinaryExpression':
        this.boundary(node, above)
        break
    }
  }

  // ---- operators ---------------------------------------------------------------------------

  private exchanges(block: Node, above: readonly Node[]): void {
    const statements = parts(block, 'body')
    for (const [i, one] of statements.entries()) {
      const other = statements[i + 1]
      if (other === undefined || !this.isMovable(one) || !this.isMovable(other)) continue
      if (!this.effects.writes(one) && !this.effects.writes(other) && !this.bothLoad(one, other))
        continue
      if (declares(one).some((name) => mentions(other, name))) continue
      const [first, second] = [this.of(one), this.of(other)]
      if (first === second) continue
      this.add('exchange', one, [...above, block], `${oneLine(first)} ${oneLine(second)}`, [
        { start: one.start, end: one.end, text: second },
        { start: other.start, end: other.end, text: first },
      ])
    }
  }

  private bothLoad(one: Node, other: Node): boolean {
    return this.effects.reads(one) && this.effects.reads(other)
  }

  private isMovable(node: Node): boolean {
    const kinds = ['ExpressionStatement', 'VariableDeclaration', 'IfStatement', 'ForStatement']
    if (!kinds.includes(node.type) || isRefusal(node)) return false
    return this.effects.touches(node) && !some(node, ({ type }) => JUMPS.has(type))
  }

  private weaken(call: Node, above: readonly Node[]): void {
    const verb = verbOf(call)
    const callee = part(call, 'callee')
    const property = callee && part(callee, 'property')
    if (verb === undefined || callee === undefined || property === undefined) return
    const instead = RELAXED[verb]
    if (instead !== undefined) {
      this.add('plain', call, above, this.of(call), [{ ...at(property), text: instead }])
    }
    if (verb === 'load') {
      this.add('stale', call, above, this.of(call), [{ ...at(property), text: 'peekRacy' }])
    }
    const halves = HALVES[verb]
    const memory = part(callee, 'object')
    if (!UPDATES.has(verb) || halves === undefined || memory === undefined) return
    const [first] = parts(call, 'arguments')
    if (first === undefined) return
    const end = this.text.length
    this.add('split', call, above, this.of(call), [
      { start: call.start, end: first.start, text: `${verb}$(${this.of(memory)}, ` },
      { start: end, end, text: `\n${halves}\n` },
    ])
  }

  private drop(statement: Node, above: readonly Node[]): void {
    const expression = part(statement, 'expression')
    if (expression === undefined || isRefusal(statement)) return
    const isCall = expression.type === 'CallExpression' && this.effects.writes(expression)
    const right = part(expression, 'right')
    const isLook =
      expression.type === 'AssignmentExpression' &&
      right !== undefined &&
      this.effects.touches(right)
    if (!isCall && !isLook) return
    if (isThis(above) && isLook) return
    this.add('drop', statement, above, this.of(statement), [{ ...at(statement), text: ';' }])
  }

  private skipCheck(statement: Node, above: readonly Node[]): void {
    const test = part(statement, 'test')
    const then = part(statement, 'consequent')
    if (test === undefined || then === undefined || part(statement, 'alternate') !== undefined)
      return
    const last = then.type === 'BlockStatement' ? parts(then, 'body').at(-1) : then
    if (last === undefined || !JUMPS.has(last.type) || !this.effects.touches(test)) return
    // What the condition does is done all the same.
    this.add('skip check', statement, above, this.of(test), [{ ...at(then), text: ';' }])
  }

  private negate(node: Node, above: readonly Node[]): void {
    const test = part(node, 'test')
    if (test === undefined || !this.isProtocol(node, test)) return
    this.add(
      'negate',
      node,
      above,
      this.of(test),
      [{ ...at(test), text: `!(${this.of(test)})` }],
      test,
    )
  }

  private boundary(node: Node, above: readonly Node[]): void {
    const operator = String(field(node, 'operator'))
    const instead = OTHER_BOUNDARY[operator]
    const [left, right] = [part(node, 'left'), part(node, 'right')]
    if (instead === undefined || left === undefined || right === undefined) return
    const around = above.findLast(({ type }) => FUNCTIONS.has(type))
    if (around === undefined || !this.effects.touches(around)) return
    const text = `${this.of(left)} ${instead} ${this.of(right)}`
    this.add('boundary', node, above, this.of(node), [{ ...at(node), text }])
  }

  private offByOne(call: Node, above: readonly Node[]): void {
    if (!this.effects.writes(call)) return
    const last = parts(call, 'arguments').at(-1)
    if (last === undefined || !isCount(last)) return
    this.add(
      'off by one',
      call,
      above,
      this.of(call),
      [{ ...at(last), text: `(${this.of(last)}) + 1` }],
      last,
    )
  }

  // ---- what they ask -----------------------------------------------------------------------

  /** A condition that shared memory decides, or that decides what is done to it. */
  private isProtocol(node: Node, test: Node): boolean {
    const branches = ['consequent', 'alternate', 'body'].flatMap((name) => part(node, name) ?? [])
    return this.effects.touches(test) || branches.some((branch) => this.effects.touches(branch))
  }

  private of({ start, end }: Node): string {
    return this.text.slice(start, end)
  }

  private add(
    operator: Operator,
    node: Node,
    above: readonly Node[],
    about: string,
    edits: readonly Edit[],
    where = node,
  ): void {
    const { file } = this
    const inside = enclosing([...above, node])
    const line = oneLine(about)
    const before = keyOf({ file, inside, operator, text: line })
    const count = (this.seen.get(before) ?? 0) + 1
    this.seen.set(before, count)
    const text = count === 1 ? line : `${line} #${count}`
    this.made.push({ file, offset: where.start, inside, operator, text, edits })
  }
}

function at({ start, end }: Node): { readonly start: number; readonly end: number } {
  return { start, end }
}

/** A throw, or a call that only refuses. */
function isRefusal(node: Node): boolean {
  if (node.type === 'ThrowStatement') return true
  const call = node.type === 'ExpressionStatement' ? part(node, 'expression') : node
  if (call?.type !== 'CallExpression') return false
  const callee = part(call, 'callee')
  const name = nameOf(callee) ?? nameOf(callee && part(callee, 'property'))
  return name !== undefined && REFUSES.test(name)
}

/** In a constructor what is assigned is a handle, not a second look. */
function isThis(above: readonly Node[]): boolean {
  return above.some((node) => functionName(node) === 'constructor')
}

/** A sum or a number: what can be one too many. */
function isCount(node: Node): boolean {
  if (node.type === 'Literal') return typeof field(node, 'value') === 'number'
  if (node.type === 'UnaryExpression') return field(node, 'operator') === '-'
  return node.type === 'BinaryExpression' && ['+', '-'].includes(String(field(node, 'operator')))
}

function declares(statement: Node): readonly string[] {
  if (statement.type !== 'VariableDeclaration') return assigned(statement)
  const names: string[] = []
  for (const each of parts(statement, 'declarations')) {
    const id = part(each, 'id')
    if (id !== undefined) walk(id, (node) => names.push(nameOf(node) ?? ''))
  }
  return names.filter((name) => name !== '')
}

/** Variables that a statement assigns to. */
function assigned(statement: Node): readonly string[] {
  const names: string[] = []
  walk(statement, (node) => {
    const to = part(node, node.type === 'UpdateExpression' ? 'argument' : 'left')
    if (node.type === 'AssignmentExpression' || node.type === 'UpdateExpression') {
      const name = nameOf(to)
      if (name !== undefined) names.push(name)
    }
  })
  return names
}

function mentions(node: Node, name: string): boolean {
  return some(node, (each) => each.type === 'Identifier' && nameOf(each) === name)
}
