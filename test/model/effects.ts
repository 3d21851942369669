/**
 * Which calls of the library touch shared memory: a verb of `Memory`, or a function that calls one,
 * through however many others.
 *
 * Functions are known by name only, so two of one name are taken for one. That errs to the side of
 * more mutants.
 */

import { children, field, functionName, type Node, nameOf, part, walk } from './syntax.ts'

export const RELAXED: Readonly<Record<string, string>> = { store: 'poke', load: 'peek' }
export const UPDATES: ReadonlySet<string> = new Set(['add', 'swap', 'cas', 'or', 'and'])
const WRITES: ReadonlySet<string> = new Set([
  ...UPDATES,
  'store',
  'poke',
  'fill',
  'pokeFloat',
  'pokeByte',
  'writeBytes',
  'tally',
  'notify',
])
const READS: ReadonlySet<string> = new Set([
  ...UPDATES,
  'load',
  'peek',
  'peekFloat',
  'peekByte',
  'readBytes',
  'peekRacy',
  'tallied',
  'enterSection',
  'findHash',
  'lookUpHash',
])
/** Methods of arrays and maps: a call of one says nothing, unless it is a method of one's own. */
const COMMON: ReadonlySet<string> = new Set(
  'add at clear concat delete entries every fill filter find flatMap forEach from get has includes join keys map pop push set slice some sort splice values'.split(
    ' ',
  ),
)
/** Objects of the library whose methods have such names. */
const OWN = /(?:lists|moves|words|bucket|buckets|stripes|chains|cache|depot|keg|trackers)$/

interface Effect {
  reads: boolean
  writes: boolean
  readonly calls: Set<string>
}

/** The name of the verb that a call is, if it is one of `Memory`. */
export function verbOf(node: Node): string | undefined {
  if (node.type !== 'CallExpression') return undefined
  const callee = part(node, 'callee')
  if (callee?.type !== 'MemberExpression') return undefined
  const object = part(callee, 'object')
  const name = nameOf(part(callee, 'property'))
  if (object === undefined || name === undefined || !isMemory(object)) return undefined
  return WRITES.has(name) || READS.has(name) ? name : undefined
}

function isMemory(object: Node): boolean {
  return nameOf(object) === 'memory' || nameOf(part(object, 'property')) === 'memory'
}

/** The effects of what stands in one file. */
export interface FileEffects {
  /** Whether something in the node loads from shared memory. */
  reads(node: Node): boolean
  /** Whether something in the node stores to shared memory. */
  writes(node: Node): boolean
  touches(node: Node): boolean
}

export class Effects {
  /** By name, and by file and name. */
  private readonly named = new Map<string, Effect>()
  private readonly getters = new Set<string>()

  constructor(programs: ReadonlyMap<string, Node>) {
    for (const program of programs.values()) walk(program, (node) => this.noteGetter(node))
    for (const [file, program] of programs) walk(program, (node) => this.note(file, node))
    for (let more = true; more; ) {
      more = false
      for (const effect of this.named.values()) {
        for (const call of effect.calls) more = this.inherit(effect, call) || more
      }
    }
  }

  in(file: string): FileEffects {
    return {
      reads: (node) => this.of(file, node).reads,
      writes: (node) => this.of(file, node).writes,
      touches: (node) => {
        const { reads, writes } = this.of(file, node)
        return reads || writes
      },
    }
  }

  private noteGetter(node: Node): void {
    if (node.type !== 'MethodDefinition' || field(node, 'kind') !== 'get') return
    this.getters.add(functionName(node) ?? '')
  }

  private note(file: string, node: Node): void {
    const name = functionName(node)
    if (name === undefined) return
    for (const key of [name, local(file, name)]) {
      const known = this.named.get(key) ?? { reads: false, writes: false, calls: new Set<string>() }
      this.named.set(key, known)
      this.collect(file, node, known)
    }
  }

  private of(file: string, node: Node): Effect {
    const effect: Effect = { reads: false, writes: false, calls: new Set() }
    this.collect(file, node, effect)
    for (const call of effect.calls) this.inherit(effect, call)
    return effect
  }

  /** A call of what its own file declares is known by file and name, any other by name. */
  private inherit(effect: Effect, call: string): boolean {
    const { reads, writes } = effect
    const other = this.named.get(call) ?? this.named.get(call.slice(call.indexOf(HERE) + 1))
    effect.reads ||= other?.reads === true
    effect.writes ||= other?.writes === true
    return reads !== effect.reads || writes !== effect.writes
  }

  /** Verbs and calls of a node. A refusal is made of reads that nobody decides anything by. */
  private collect(file: string, node: Node, into: Effect): void {
    if (node.type === 'ThrowStatement') return
    const verb = verbOf(node)
    if (verb !== undefined) {
      into.reads ||= READS.has(verb)
      into.writes ||= WRITES.has(verb)
    } else {
      const name = this.called(file, node)
      if (name !== undefined) into.calls.add(name)
    }
    for (const child of children(node)) this.collect(file, child, into)
  }

  private called(file: string, node: Node): string | undefined {
    if (node.type === 'MemberExpression') {
      const name = nameOf(part(node, 'property'))
      if (name === undefined || !this.getters.has(name)) return undefined
      // `CacheWords.alloc` is the map's, whatever else is called `alloc`.
      return /^[A-Z]/.test(nameOf(part(node, 'object')) ?? '') ? undefined : name
    }
    if (node.type !== 'CallExpression') return undefined
    const callee = part(node, 'callee')
    if (callee?.type !== 'MemberExpression') {
      const name = nameOf(callee)
      return name === undefined ? undefined : local(file, name)
    }
    const name = nameOf(part(callee, 'property'))
    const object = part(callee, 'object')
    if (name === undefined || object === undefined) return name
    if (object.type === 'ThisExpression') return local(file, name)
    if (!COMMON.has(name)) return name
    const owner = nameOf(object) ?? nameOf(part(object, 'property'))
    return owner !== undefined && OWN.test(owner) ? name : undefined
  }
}

const HERE = '#'
const local = (file: string, name: string): string => `${file}${HERE}${name}`
